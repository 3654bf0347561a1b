"""Several cameras have a tile each; one that dies says so in its own and ends no other."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sources.loopback import MjpegCamera
from window.xvfb import Display, running_display

RUN = """
import sys
import fakes
from livepose import pipeline
from livepose.cli import main
pipeline.open_runtime = lambda *_, **__: fakes.FakeRuntime()
pipeline.open_detector = lambda *_, **__: fakes.FakeDetector()
sys.exit(main(sys.argv[1:]))
"""
LEFT, RIGHT = (slice(120, 360), slice(160, 480)), (slice(120, 360), slice(800, 1120))
"""The images amid their tiles; the screen has no window manager, so nothing moves the window."""
TITLE = "livepose - 2 sources"
CAPTION = slice(215, 240)


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    with running_display(tmp_path) as display:
        yield display


@contextmanager
def running(display: Display, words: list[str], said: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**display.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", RUN, *words]
    with said.open("w") as stderr:
        process = subprocess.Popen(command, env=environment, stderr=stderr, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(true: Callable[[], bool], said: Path) -> None:
    end_s = time.monotonic() + 40.0
    while not true():
        assert time.monotonic() < end_s, said.read_text()
        time.sleep(0.1)


def part(display: Display, place: tuple[slice, slice]) -> NDArray[np.uint8]:
    return display.screenshot_bgr()[place].copy()


def moves(display: Display, place: tuple[slice, slice]) -> bool:
    before = part(display, place)
    time.sleep(0.3)
    return bool((cv2.absdiff(before, part(display, place)) > 50).any())


def says_reconnecting(display: Display, place: tuple[slice, slice]) -> bool:
    """White letters on the black bar of the caption."""
    caption = part(display, place)[CAPTION]
    return bool((caption[:, :250] == 0).all(axis=2).mean() > 0.4 and (caption > 240).any())


def test_each_camera_has_a_tile_whether_it_comes_late_is_cut_or_comes_back(
    display: Display, tmp_path: Path
) -> None:
    said, other = tmp_path / "said", MjpegCamera()
    with MjpegCamera() as one:
        words = ["--source", one.url, "--source", other.url, "--reconnect", "forever"]
        with running(display, [*words, "--json", str(tmp_path / "p.jsonl")], said) as process:
            window = display.find_window(TITLE)
            assert window is not None, said.read_text()
            wait_for(lambda: moves(display, LEFT), said)
            wait_for(lambda: "ready after" in said.read_text(), said)
            with other:
                wait_for(lambda: moves(display, RIGHT), said)
                other.cut()
                wait_for(lambda: says_reconnecting(display, RIGHT), said)
                assert not says_reconnecting(display, LEFT)
                assert moves(display, LEFT)
                other.start()
                wait_for(lambda: moves(display, RIGHT), said)
                wait_for(lambda: not says_reconnecting(display, RIGHT), said)
                display.click_close_button(window)
                assert process.wait(timeout=20) == 0, said.read_text()
    for number in (1, 2):
        assert (tmp_path / f"p-{number}.jsonl").read_text().count("\n") > 10
    assert "Traceback" not in said.read_text()
