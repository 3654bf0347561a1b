"""The command line: every mishap is one sentence on stderr and the right exit code."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from fakes import clip, make_pipeline, scene_image

from livepose.cli import main
from livepose.pipeline import PosePipeline

__all__ = ["make_pipeline"]
Make = Callable[..., PosePipeline]

LOST, WEIGHTS, DEVICE = 3, 4, 5


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A short clip of the white "person"."""
    return clip(tmp_path / "in.mp4", frames=20)


def test_a_full_disk_is_one_sentence(make_pipeline: Make, video: Path, said: list[str]) -> None:
    assert main(["--video", str(video), "--json", "/dev/full", "--no-window"]) == 1
    assert "disk is full" in said[-1]


def test_a_video_that_breaks_off_leaves_what_there_was(
    make_pipeline: Make, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    source = shared / "video" / "truncated.mp4"
    words = ["--video", str(source), "--output", str(out), "--json", str(lines)]
    assert main(words) == LOST
    assert "200 frames" in capsys.readouterr().err.splitlines()[-1]
    assert len(lines.read_text().splitlines()) == 201
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 200


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--weights", "/nowhere.safetensors"], WEIGHTS), (["--device", "cuda:97"], DEVICE)],
)
def test_weights_and_a_gpu_that_are_not_there_are_never_a_silent_run_without(
    video: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int
) -> None:
    assert main(["--video", str(video), *words]) == code
    assert words[1].partition(":")[0] in capsys.readouterr().err.splitlines()[-1].lower()


def test_a_video_gets_all_outputs_at_once_and_stdout_has_json_alone(
    make_pipeline: Make, video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = {
        "--output": "o.mp4",
        "--csv": "o.csv",
        "--openpose-json": "op",
        "--coco-json": "c",
    }
    words = [word for flag, name in names.items() for word in (flag, str(tmp_path / name))]
    assert main(["--video", str(video), "--json", "-", *words]) == 0
    said = capfd.readouterr()
    header, *rows = [json.loads(line) for line in said.out.splitlines()]
    assert header["livepose"]["skeleton"]["name"] == "coco17"
    assert [row["frame"] for row in rows] == list(range(20))
    assert rows[0]["people"][0]["id"] == 1
    assert len(list((tmp_path / "op").iterdir())) == 20
    assert len(json.loads((tmp_path / "c").read_text())) == 20
    assert "20 frames" in said.err


def test_what_a_pipe_no_longer_reads_is_a_quiet_end(
    make_pipeline: Make, video: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--video", str(video), "--json", "-"]) == 0
    assert not [line for line in said if "cannot" in line]


def test_images_become_drawn_images_and_nothing_is_said_of_smoothing(
    make_pipeline: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), scene_image())
    assert main(["--image", str(tmp_path / "*.png"), "--output", str(tmp_path / "drawn")]) == 0
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert len(drawn) == 2
    assert np.abs(cv2.imread(str(drawn[0])).astype(int) - scene_image()).max() > 50
    said = capsys.readouterr().err
    assert " 2 frames in " in said and "smoothing" not in said


def test_ctrl_c_while_the_networks_get_ready_is_exit_code_130(shared: Path) -> None:
    words = ["--video", str(shared / "video" / "crowd.mp4"), "--no-window"]
    process = subprocess.Popen(
        [sys.executable, "-m", "livepose", *words],
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background inherits a Ctrl-C that is ignored; a user's shell does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    # A shell calls both 130; CPython ends by the signal itself where that fell into an exec().
    assert process.returncode in (130, -signal.SIGINT), first + said
    assert "stopped by Ctrl-C" in said and "Traceback" not in said
