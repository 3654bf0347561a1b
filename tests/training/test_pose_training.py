"""The whole of ``livepose train pose``, small."""

import io
import os
import signal
from pathlib import Path

import pytest
import torch

from livepose.cli import main
from livepose.training.records import read_checkpoint, read_log
from livepose.training.train_step import Processes, TrainStep

pytestmark = pytest.mark.usefixtures("tiny_network")


def arguments(drawn_set: Path, name: str, *more: str) -> list[str]:
    data = f"{drawn_set / 'images.zip'}:{drawn_set / 'annotations.json'}"
    return [
        *("train", "pose", "--runs", str(drawn_set.parent / "runs"), "--name", name),
        *("--data", data, "--size", "64x64", "--batch", "4", "--warm-up-steps", "2"),
        *("--device", "cpu", *more),
    ]


def resume(drawn_set: Path, name: str, *more: str) -> list[str]:
    runs = str(drawn_set.parent / "runs")
    return ["train", "pose", "--runs", runs, "--name", name, "--resume", *more]


def as_bytes(state: object) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


@pytest.fixture
def ctrl_c_after(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Steps after which the user presses Ctrl-C, once each."""
    steps: set[int] = set()
    learn = TrainStep.step

    def step(self: TrainStep, batch: object, step: int, *more: float) -> object:
        learned = learn(self, batch, step, *more)
        if step + 1 in steps:
            steps.remove(step + 1)
            os.kill(os.getpid(), signal.SIGINT)
        return learned

    monkeypatch.setattr(TrainStep, "step", step)
    return steps


@pytest.mark.parametrize(
    "how",
    [
        ("--optimiser", "adamw", "--mse-last", "0.3"),
        (
            *("--optimiser", "muon", "--relative-step", "0.02", "--decay-last", "0.4"),
            *("--size", "64x32@2,64x64", "--size-last", "64x64"),
        ),
    ],
)
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    drawn_set: Path, how: tuple[str, ...], ctrl_c_after: set[int]
) -> None:
    options = ("--crops", "64", *how)
    assert main(arguments(drawn_set, "whole", *options)) == 0
    ctrl_c_after.update({5, 12})
    assert main(arguments(drawn_set, "parts", *options, "--workers", "2")) == 130
    assert main(resume(drawn_set, "parts", "--workers", "3")) == 130
    assert main(resume(drawn_set, "parts")) == 0
    whole, parts = (read_checkpoint(drawn_set.parent / "runs" / n) for n in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 16
    assert as_bytes(whole["train_step"]) == as_bytes(parts["train_step"])
    assert whole["recent_losses"] == parts["recent_losses"]


def test_a_run_is_not_overwritten_and_a_resumed_one_does_not_change_what_is_learned(
    drawn_set: Path,
) -> None:
    options = ("--crops", "8", "--loss", "mse", "--targets", "standard", "--sigma", "2")
    assert main(arguments(drawn_set, "kept", *options)) == 0
    assert main(arguments(drawn_set, "kept", *options)) == 2
    assert main(resume(drawn_set, "kept", "--lr", "0.5")) == 2
    assert main(resume(drawn_set, "kept", "--crops", "8", "--threads", "2")) == 0


def test_a_state_dict_can_be_trained_on(drawn_set: Path) -> None:
    assert main(arguments(drawn_set, "first", "--crops", "8")) == 0
    folder = drawn_set.parent / "runs"
    state = read_checkpoint(folder / "first")["train_step"]["model"]
    torch.save(state, folder / "raw.pt")
    for init in (folder / "raw.pt", folder / "first" / "checkpoint.pt"):
        name = f"from_{init.stem}"
        assert main(arguments(drawn_set, name, "--crops", "8", "--init", str(init))) == 0
    torch.save({"conv1.weight": torch.zeros(1)}, folder / "wrong.pt")
    wrong = ("--crops", "8", "--init", str(folder / "wrong.pt"))
    assert main(arguments(drawn_set, "wrong", *wrong)) == 4


def test_a_run_by_time_pauses_and_goes_on_with_its_schedule(drawn_set: Path) -> None:
    options = ("--budget-minutes", "0.03", "--stop-after-minutes", "0.01")
    assert main(arguments(drawn_set, "timed", *options)) == 0
    folder = drawn_set.parent / "runs" / "timed"
    assert 0.6 <= read_checkpoint(folder)["elapsed_s"] < 1.7
    assert main(resume(drawn_set, "timed", "--stop-after-minutes", "1")) == 0
    assert read_checkpoint(folder)["elapsed_s"] >= 1.8
    entries = read_log(folder)
    assert [entry["step"] for entry in entries] == sorted({entry["step"] for entry in entries})
    assert entries[-1]["progress"] == 1.0


def test_a_long_constant_run_is_made_longer_before_its_rate_falls(drawn_set: Path) -> None:
    constant = ("--crops", "64", "--decay-last", "0.5", "--stop-after-minutes", "0")
    assert main(arguments(drawn_set, "long", *constant)) == 0
    assert main(resume(drawn_set, "long", "--crops", "16")) == 0
    assert read_checkpoint(drawn_set.parent / "runs" / "long")["step"] == 4
    assert main(resume(drawn_set, "long", "--crops", "32")) == 2


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (("--lr", "1e9", "--crops", "400"), 1, "the last good checkpoint is kept"),
        (("--device", "cuda"), 5, "there is no CUDA device"),
        (("--batch", "3"), 2, "cannot be shared evenly by 2 processes"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    drawn_set: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    if "--batch" in wrong:
        monkeypatch.setattr(Processes, "join", lambda device: Processes(0, 2))
    assert main(arguments(drawn_set, "bad", "--crops", "8", *wrong)) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "is not a readable torch checkpoint"),
        ({"format": 1, "train_step": {"ema": 3}}, "holds no state dict"),
        ([1, 2], "holds no state dict"),
        ({"a": 1}, "entries a"),
    ],
)
def test_a_file_that_holds_no_weights_or_no_checkpoint_is_one_sentence(
    drawn_set: Path, capsys: pytest.CaptureFixture[str], content: object, says: str
) -> None:
    assert main(arguments(drawn_set, "spoiled", "--crops", "8")) == 0
    checkpoint, file = drawn_set.parent / "runs" / "spoiled" / "checkpoint.pt", drawn_set / "a.pt"
    for path in (file, checkpoint):
        path.write_bytes(content if isinstance(content, bytes) else as_bytes(content))
    wrong = ("--crops", "8", "--init", str(file))
    assert main(arguments(drawn_set, "wrong", *wrong)) == 4
    assert main(resume(drawn_set, "spoiled")) == 4
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_does_not_run(drawn_set: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (drawn_set.parent / "EXECUTED",)

    assert main(arguments(drawn_set, "evil", "--crops", "8")) == 0
    torch.save(Evil(), drawn_set.parent / "runs" / "evil" / "checkpoint.pt")
    torch.save(Evil(), drawn_set.parent / "evil.pt")
    assert main(resume(drawn_set, "evil")) == 4
    init = ("--crops", "8", "--init", str(drawn_set.parent / "evil.pt"))
    assert main(arguments(drawn_set, "from_evil", *init)) == 4
    assert not (drawn_set.parent / "EXECUTED").exists()
