"""Several cameras have a tile each; one that dies says so in its own and ends no other."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import cv2
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
CAPTION = slice(215, 240)


def moves(display: Display, place: tuple[slice, slice]) -> bool:
    before = display.screenshot_bgr()[place].copy()
    time.sleep(0.3)
    return bool((cv2.absdiff(before, display.screenshot_bgr()[place].copy()) > 50).any())


def says_reconnecting(display: Display, place: tuple[slice, slice]) -> bool:
    """White letters on the black bar of the caption."""
    caption = display.screenshot_bgr()[place][CAPTION]
    return bool((caption[:, :250] == 0).all(axis=2).mean() > 0.4 and (caption > 240).any())


def test_each_camera_has_a_tile_whether_it_comes_late_is_cut_or_comes_back(tmp_path):
    def wait_for(true: Callable[[], bool]) -> None:
        end_s = time.monotonic() + 40.0
        while not true():
            assert time.monotonic() < end_s, said.read_text()
            time.sleep(0.1)

    def results_written(number: int) -> int:
        return (tmp_path / f"p-{number}.jsonl").read_text().count("\n")

    said, one, other = tmp_path / "said", MjpegCamera(), MjpegCamera()
    words = ["--source", one.url, "--source", other.url, "--reconnect", "forever"]
    command = [sys.executable, "-c", RUN, *words, "--json", str(tmp_path / "p.jsonl")]
    with one, running_display(tmp_path) as display, said.open("w") as stderr:
        environment = {**display.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(command, env=environment, stderr=stderr)
        try:
            window = display.find_window("livepose - 2 sources")
            assert window is not None, said.read_text()
            wait_for(lambda: moves(display, LEFT) and "ready after" in said.read_text())
            with other:
                wait_for(lambda: moves(display, RIGHT))
                other.cut()
                wait_for(lambda: says_reconnecting(display, RIGHT))
                assert not says_reconnecting(display, LEFT)
                assert moves(display, LEFT)
                other.start()
                wait_for(lambda: moves(display, RIGHT) and not says_reconnecting(display, RIGHT))
                wait_for(lambda: all(results_written(number) > 10 for number in (1, 2)))
                display.click_close_button(window)
                assert process.wait(timeout=20) == 0, said.read_text()
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in said.read_text()
