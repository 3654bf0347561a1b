"""The command line: every mishap is one sentence on stderr and the right exit code."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from fakes import clip, scene_image

from livepose.cli import main

LOST, WEIGHTS, DEVICE = 3, 4, 5
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def video(tmp_path: Path) -> str:
    """A short clip of the white "person"."""
    return str(clip(tmp_path / "in.mp4"))


def test_a_full_disk_is_one_sentence(make_pipeline, video, said):
    assert main(["--video", video, "--json", "/dev/full", "--no-window"]) == 1
    assert "disk is full" in said[-1]


def test_a_video_that_breaks_off_leaves_what_there_was(make_pipeline, shared, tmp_path, said):
    out, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    source = str(shared / "video" / "truncated.mp4")
    words = ["--video", source, "--output", str(out), "--json", str(lines)]
    assert main([*words, "--detector", "none"]) == LOST
    assert "200 frames" in said[-1]
    assert len(lines.read_text().splitlines()) == 201
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 200


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--weights", "/nowhere.safetensors"], WEIGHTS), (["--device", "cuda:97"], DEVICE)],
)
def test_weights_and_a_gpu_that_are_not_there_are_never_a_silent_run_without(
    video, said, words, code
):
    assert main(["--video", video, *words]) == code
    assert words[1].partition(":")[0] in said[-1].lower()


def test_a_video_gets_all_outputs_at_once_and_stdout_has_json_alone(
    make_pipeline, video, tmp_path, capfd
):
    names = {"output": "o.mp4", "csv": "o.csv", "openpose-json": "op", "coco-json": "c"}
    words = [f"--{flag}={tmp_path / name}" for flag, name in names.items()]
    assert main(["--video", video, "--json", "-", *words]) == 0
    said = capfd.readouterr()
    header, *rows = [json.loads(line) for line in said.out.splitlines()]
    assert header["livepose"]["skeleton"]["name"] == "coco17"
    assert [row["frame"] for row in rows] == list(range(12))
    assert rows[0]["people"][0]["id"] == 1
    assert len(list((tmp_path / "op").iterdir())) == 12
    assert len(json.loads((tmp_path / "c").read_text())) == 12
    assert "12 frames" in said.err


def test_what_a_pipe_no_longer_reads_is_a_quiet_end(make_pipeline, video, said, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--video", video, "--json", "-"]) == 0
    assert not [line for line in said if "cannot" in line]


def test_images_become_drawn_images_and_nothing_is_said_of_smoothing(make_pipeline, tmp_path, said):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), scene_image())
    assert main(["--image", str(tmp_path / "*.png"), "--output", str(tmp_path / "drawn")]) == 0
    drawn = sorted((tmp_path / "drawn").iterdir())
    assert len(drawn) == 2
    assert np.abs(cv2.imread(str(drawn[0])).astype(int) - scene_image()).max() > 50
    assert "2 frames in " in said[-1] and "smoothing" not in " ".join(said)


def test_degrees_are_drawn_on_request_and_can_be_read_in_a_mirror(make_pipeline, tmp_path):
    source = tmp_path / "1.png"
    cv2.imwrite(str(source), scene_image())
    drawn = []
    for more in ([], ["--draw-angles"], ["--draw-angles", "--mirror"]):
        path = tmp_path / f"drawn{len(drawn)}.png"
        assert main(["--image", str(source), "--output", str(path), *more]) == 0
        drawn.append(cv2.imread(str(path)))
    assert (drawn[0] != drawn[1]).any()
    assert (drawn[1][:, ::-1] != drawn[2]).any()  # the numbers themselves are not mirrored


def test_ctrl_c_while_the_networks_get_ready_is_exit_code_130(shared):
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
