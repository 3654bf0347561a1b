"""Several cameras have a window each; one that dies says so in its own and ends no other."""

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
LEFT, RIGHT = (slice(0, 240), slice(0, 320)), (slice(0, 240), slice(640, 960))
"""Where the windows open; the screen has no window manager, so nothing moves them."""
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


def wait_for(true: Callable[[], bool], what: str, patience_s: float = 40.0) -> None:
    end_s = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end_s, what
        time.sleep(0.1)


def part(display: Display, place: tuple[slice, slice]) -> NDArray[np.uint8]:
    return display.screenshot_bgr()[place].copy()


def moves(display: Display, place: tuple[slice, slice]) -> bool:
    before = part(display, place)
    time.sleep(0.5)
    return bool((cv2.absdiff(before, part(display, place)) > 50).any())


def says_reconnecting(display: Display, place: tuple[slice, slice]) -> bool:
    """White letters on the black bar of the caption."""
    caption = part(display, place)[CAPTION]
    return bool((caption[:, :250] == 0).all(axis=2).mean() > 0.4 and (caption > 240).any())


def test_each_camera_has_a_window_one_is_cut_and_q_ends_all(
    display: Display, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    with MjpegCamera() as one, MjpegCamera() as other:
        words = ["--source", one.url, "--source", other.url, "--reconnect", "forever"]
        with running(display, [*words, "--json", str(tmp_path / "p.jsonl")], said) as process:
            first = display.find_window("livepose 1 - ")
            assert first is not None, said.read_text()
            assert display.find_window("livepose 2 - ") not in (None, first)
            wait_for(lambda: "ready after" in said.read_text(), said.read_text())
            wait_for(lambda: moves(display, LEFT) and moves(display, RIGHT), said.read_text())
            other.cut()
            wait_for(lambda: says_reconnecting(display, RIGHT), said.read_text())
            assert not says_reconnecting(display, LEFT)
            assert moves(display, LEFT)
            other.start()
            wait_for(lambda: moves(display, RIGHT), said.read_text())
            assert not says_reconnecting(display, RIGHT)
            other.cut()
            wait_for(lambda: says_reconnecting(display, RIGHT), said.read_text())
            display.press(first, "q")
            assert process.wait(timeout=20) == 0, said.read_text()
    for number in (1, 2):
        assert (tmp_path / f"p-{number}.jsonl").read_text().count("\n") > 10
    assert "Traceback" not in said.read_text()


def test_the_close_button_ends_its_own_stream_and_a_camera_that_is_away_may_come_later(
    display: Display, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    late = MjpegCamera()
    with MjpegCamera() as one:
        words = ["--source", one.url, "--source", late.url, "--reconnect", "forever"]
        with running(display, words, said) as process:
            first, second = (display.find_window(f"livepose {n} - ") for n in (1, 2))
            assert first is not None and second is not None, said.read_text()
            wait_for(lambda: moves(display, LEFT), said.read_text())
            display.click_close_button(first)
            wait_for(lambda: display.find_window("livepose 1 - ", 0.0) is None, "it stays open")
            with late:
                wait_for(lambda: moves(display, RIGHT), said.read_text())
                display.press(second, "q")
                assert process.wait(timeout=20) == 0, said.read_text()
    assert "Traceback" not in said.read_text()
