"""The window of the program: there before its networks are, and with a tile for each camera."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from fakes import PROGRAM
from sources.loopback import MjpegCamera
from window.xvfb import Display, program, running_display

LEFT, RIGHT = (slice(120, 360), slice(160, 480)), (slice(120, 360), slice(800, 1120))
"""The images amid their tiles; the screen has no window manager, so nothing moves the window."""
CAPTION = slice(215, 240)


def wait_for(true: Callable[[], bool], said: Path, seconds: float = 40.0) -> None:
    end_s = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end_s, said.read_text()
        time.sleep(0.05)


def moves(display: Display, place: tuple[slice, slice]) -> bool:
    before = display.screenshot_bgr()[place]
    time.sleep(0.3)
    return bool((cv2.absdiff(before, display.screenshot_bgr()[place]) > 50).any())


def says_reconnecting(display: Display, place: tuple[slice, slice]) -> bool:
    """White letters on the black bar of the caption."""
    caption = display.screenshot_bgr()[place][CAPTION]
    return bool((caption[:, :250] == 0).all(axis=2).mean() > 0.4 and (caption > 240).any())


def test_the_image_is_seen_while_the_networks_get_ready_and_q_ends_that(shared, tmp_path):
    said, clip = tmp_path / "said", str(shared / "video" / "pedestrians.mp4")
    command = [sys.executable, "-m", "livepose", "--detector", "embedded", clip]
    with running_display(tmp_path) as display, program(command, display, said) as process:
        window = display.find_window("livepose")
        assert window is not None, said.read_text()
        wait_for(lambda: display.screenshot_bgr().any(axis=2).mean() > 0.1, said)
        assert "ready after" not in said.read_text()
        display.press(window, "q")
        assert process.wait(timeout=20) == 0
        assert "ready after" not in said.read_text()


def test_each_camera_has_a_tile_whether_it_comes_late_is_cut_or_comes_back(tmp_path):
    """One that dies says so in its own and ends no other."""

    def both_write() -> bool:
        files = [tmp_path / f"p-{number}.jsonl" for number in (1, 2)]
        return all(file.read_text().count("\n") > 10 for file in files)

    said, one, other = tmp_path / "said", MjpegCamera(), MjpegCamera()
    words = ["--source", one.url, "--source", other.url, "--reconnect", "forever"]
    command = [*PROGRAM, *words, "--json", str(tmp_path / "p.jsonl")]
    with one, running_display(tmp_path) as display, program(command, display, said) as process:
        window = display.find_window("livepose - 2 sources")
        assert window is not None, said.read_text()
        wait_for(lambda: moves(display, LEFT) and "ready after" in said.read_text(), said)
        with other:
            wait_for(lambda: moves(display, RIGHT), said)
            other.cut()
            wait_for(lambda: says_reconnecting(display, RIGHT), said)
            assert not says_reconnecting(display, LEFT)
            assert moves(display, LEFT)
            other.start()
            wait_for(lambda: moves(display, RIGHT) and not says_reconnecting(display, RIGHT), said)
            wait_for(both_write, said)
            display.click_close_button(window)
            assert process.wait(timeout=20) == 0, said.read_text()
    assert "Traceback" not in said.read_text()
