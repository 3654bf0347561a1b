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

from livepose.window import Screen

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


def opened(display: Display, said: Path) -> int:
    window = display.find_window(TITLE)
    assert window is not None, said.read_text()
    return window


def test_each_camera_has_a_tile_one_is_cut_and_q_ends_all(display: Display, tmp_path: Path) -> None:
    said = tmp_path / "said"
    with MjpegCamera() as one, MjpegCamera() as other:
        words = ["--source", one.url, "--source", other.url, "--reconnect", "forever"]
        with running(display, [*words, "--json", str(tmp_path / "p.jsonl")], said) as process:
            window = opened(display, said)
            wait_for(lambda: "ready after" in said.read_text(), said.read_text())
            wait_for(lambda: moves(display, LEFT) and moves(display, RIGHT), said.read_text())
            other.cut()
            wait_for(lambda: says_reconnecting(display, RIGHT), said.read_text())
            assert not says_reconnecting(display, LEFT)
            assert moves(display, LEFT)
            other.start()
            back = lambda: moves(display, RIGHT) and not says_reconnecting(display, RIGHT)  # noqa: E731
            wait_for(back, said.read_text())
            display.press(window, "q")
            assert process.wait(timeout=20) == 0, said.read_text()
    for number in (1, 2):
        assert (tmp_path / f"p-{number}.jsonl").read_text().count("\n") > 10
    assert "Traceback" not in said.read_text()


def test_a_camera_that_is_away_may_come_later_and_the_close_button_ends_all(
    display: Display, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    late = MjpegCamera()
    with MjpegCamera() as one:
        words = ["--source", one.url, "--source", late.url, "--reconnect", "forever"]
        with running(display, words, said) as process:
            window = opened(display, said)
            wait_for(lambda: moves(display, LEFT), said.read_text())
            with late:
                wait_for(lambda: moves(display, RIGHT), said.read_text())
                display.click_close_button(window)
                assert process.wait(timeout=20) == 0, said.read_text()
    assert "Traceback" not in said.read_text()


def test_five_sources_are_three_columns_and_a_tile_shows_its_newest_image_whole() -> None:
    screen = Screen("never opened", 5)
    assert screen._mosaic_bgr.shape == (2 * 480, 3 * 640, 3)
    fifth = screen.tiles[4]
    assert not fifth.refresh()
    for gray in (100, 200):
        fifth.show(np.full((720, 1280, 3), gray, np.uint8))
    assert fifth.refresh() and not fifth.refresh()
    wanted_bgr = np.zeros_like(screen._mosaic_bgr)
    wanted_bgr[480 + 60 : 480 + 420, 640:1280] = 200
    np.testing.assert_array_equal(screen._mosaic_bgr, wanted_bgr)
