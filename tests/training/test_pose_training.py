"""The whole of ``livepose train pose``, small."""

import io
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from livepose.cli import main
from livepose.skeletons import COCO17, SKELETONS
from livepose.training import loop
from livepose.training.records import read_checkpoint, read_log
from livepose.training.train_step import Processes, TrainStep
from livepose.weights import read_card

pytestmark = pytest.mark.usefixtures("tiny_network")


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def train(data, runs):
    """``train(name, *more)`` begins a run; with ``--resume`` first it goes on with one."""

    def command(name: str, *more: str) -> int:
        words = ["train", "pose", "--runs", str(runs), "--name", name]
        if more[0] != "--resume":
            words += ["--data", data, "--size", "64x64", "--batch", "4", "--device", "cpu"]
            words += ["--warm-up-steps", "2"]
        return main([*words, *more])

    return command


def as_bytes(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


MUON = "muon --relative-step 0.02 --decay-last 0.4 --size 64x32@2,64x64 --size-last 64x64"


@pytest.mark.parametrize("optimiser", ["adamw", MUON], ids=["adamw", "muon"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(train, runs, optimiser, stopped_in):
    options = ("--crops", "40", "--optimiser", *optimiser.split())
    assert train("whole", *options) == 0
    stopped_in.update({3: signal.SIGINT, 7: signal.SIGTERM})
    assert train("parts", *options, "--workers", "2") == 130
    assert train("parts", "--resume", "--workers", "3") == 130
    assert train("parts", "--resume") == 0
    whole, parts = (read_checkpoint(runs / name) for name in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 10
    assert as_bytes(whole["train_step"]) == as_bytes(parts["train_step"])


def test_a_full_disk_is_one_sentence_and_keeps_the_checkpoint_before(
    train, runs, stopped_in, capsys
):
    stopped_in[1] = signal.SIGHUP
    assert train("full", "--crops", "8") == 130
    checkpoint = runs / "full" / "checkpoint.pt"
    kept = checkpoint.read_bytes()
    checkpoint.with_name("checkpoint.pt.draft").symlink_to("/dev/full")
    assert train("full", "--resume") == 1
    assert "the disk is full" in capsys.readouterr().err
    assert checkpoint.read_bytes() == kept
    assert train("full", "--resume") == 0


def test_a_run_is_not_overwritten_and_a_resumed_one_does_not_change_what_is_learned(train, runs):
    options = ("--crops", "8", "--loss", "mse", "--targets", "standard", "--sigma", "2")
    assert train("kept", *options) == 0
    assert train("kept", *options) == 2
    assert train("kept", "--resume", "--lr", "0.5") == 2
    assert train("kept", "--resume", "--crops", "8", "--threads", "2") == 0
    raw = runs / "raw.pt"
    torch.save(read_checkpoint(runs / "kept")["train_step"]["model"], raw)
    for init in (raw, runs / "kept" / "checkpoint.pt", runs / "kept" / "pose.safetensors"):
        assert train(f"from_{init.name}", "--crops", "4", "--init", str(init)) == 0


def test_a_run_by_time_goes_on_with_its_schedule(train, runs, monkeypatch, stopped_in):
    now_s, learn = [0.0], TrainStep.step

    def half_a_second(self, *given):
        now_s[0] += 0.5
        return learn(self, *given)

    monkeypatch.setattr(TrainStep, "step", half_a_second)
    monkeypatch.setattr(loop, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))
    stopped_in[3] = signal.SIGINT
    assert train("timed", "--budget-minutes", "0.05") == 130
    assert read_checkpoint(runs / "timed")["elapsed_s"] == pytest.approx(1.5)
    assert train("timed", "--resume") == 0
    assert read_checkpoint(runs / "timed")["elapsed_s"] == pytest.approx(3)
    entries = read_log(runs / "timed")
    assert [entry["step"] for entry in entries] == sorted({entry["step"] for entry in entries})
    assert entries[-1]["progress"] == 1.0


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (("--lr", "1e9", "--crops", "400"), 1, "the last good checkpoint is kept"),
        (("--device", "cuda"), 5, "there is no CUDA device"),
        (("--batch", "3"), 2, "cannot be shared evenly by 2 processes"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(train, capsys, monkeypatch, wrong, code, says):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if "--batch" in wrong:
        monkeypatch.setattr(Processes, "join", lambda device: Processes(0, 2))
    assert train("bad", "--crops", "8", *wrong) == code
    assert says in capsys.readouterr().err


class Evil:
    """Makes a file where it is unpickled."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "is not a readable torch checkpoint"),
        ({"format": 1, "train_step": {"ema": 3}}, "holds no state dict"),
        ([1, 2], "holds no state dict"),
        ({"a": 1}, "entries a"),
        (Evil, ""),
        ({"conv1.weight": torch.zeros(1)}, ""),
    ],
    ids=["text", "no weights", "a list", "other entries", "code", "other shapes"],
)
def test_what_holds_no_weights_is_refused_and_runs_nothing(
    train, runs, tmp_path, capsys, content, says
):
    executed, file = tmp_path / "EXECUTED", tmp_path / "a.pt"
    assert train("spoiled", "--crops", "8") == 0
    holds = Evil(executed) if content is Evil else content
    for path in (file, runs / "spoiled" / "checkpoint.pt"):
        path.write_bytes(holds if isinstance(holds, bytes) else as_bytes(holds))
    assert train("wrong", "--crops", "8", "--init", str(file)) == 4
    assert train("spoiled", "--resume") == 4
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not executed.exists()


def test_a_skeleton_of_ones_own_goes_through_training_into_the_weights(train, tmp_path, caplog):
    kept = [name for name in COCO17.keypoints if not name.endswith(("eye", "ear"))]
    own, weights = tmp_path / "body13.toml", tmp_path / "own.safetensors"
    pairs = [[name, name.replace("left", "right")] for name in kept if name.startswith("left")]
    own.write_text(
        f'name = "body13"\nkeypoints = {json.dumps(kept)}\npairs = {json.dumps(pairs)}\n'
        f"edges = {json.dumps([pairs[0]])}\nsigmas = {[0.08] * len(kept)}\n"
    )
    assert train("own", "--skeleton", str(own), "--crops", "8", "--export", str(weights)) == 0
    assert any("left_eye, right_eye, left_ear, right_ear" in line for line in caplog.messages)
    SKELETONS.pop("body13")  # whoever runs the weights has never seen the file
    card = read_card(weights)
    assert (card.skeleton, card.keypoints) == ("body13", 13)
    assert SKELETONS["body13"].keypoints == tuple(kept)
