"""The window on a real display: what is on the screen, and what keys and the close button do."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from window.xvfb import Display, running_display

TITLE = "livepose window test"
CHILD = """
import select, sys, time
import numpy as np
from livepose.drawing import draw_poses
from livepose.poses import Poses
from livepose.window import Window

width, height, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
assert Window.available() == (True, ""), Window.available()
image = np.full((height, width, 3), 200, np.uint8)
keypoints = np.random.default_rng(1).uniform(20, min(width, height) - 20, (1, 17, 2))
poses = Poses(keypoints, np.ones((1, 17)), np.array([[20.0, 20, 300, 300]]), np.ones(1),
              np.ones(1, np.int64), np.full((1, 17, 2, 2), np.nan))
np.save(path, draw_poses(image, poses))
end = time.monotonic() + 60
with Window("livepose window test") as window:
    while time.monotonic() < end:
        window.show(image)
        for command in window.poll():
            print(command.value, flush=True)
        if select.select([sys.stdin], [], [], 0.005)[0]:
            break
    print("polled after the end:", [command.value for command in window.poll()], flush=True)
"""


class Child:
    """A program with a window, in its own process."""

    def __init__(self, display: Display, size_wh: tuple[int, int], folder: Path) -> None:
        self._saved = folder / "image.npy"
        words = [sys.executable, "-c", CHILD, str(size_wh[0]), str(size_wh[1]), str(self._saved)]
        self.process = subprocess.Popen(
            words,
            env=display.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.display = display
        window = display.find_window(TITLE)
        if window is None:
            self.process.kill()
            raise AssertionError(f"no window came: {self.process.communicate()}")
        self.window = window

    @property
    def image_bgr(self) -> NDArray[np.uint8]:
        return np.asarray(np.load(self._saved))

    def next_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def finish(self) -> tuple[str, str]:
        out, error = self.process.communicate("end\n", timeout=20)
        return out, error


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    with running_display(tmp_path_factory.mktemp("screen")) as running:
        yield running


@pytest.fixture
def child(display: Display, tmp_path: Path) -> Iterator[Child]:
    started = Child(display, (640, 480), tmp_path)
    yield started
    started.process.kill()
    started.process.communicate()


def wait_for_image(child: Child) -> NDArray[np.uint8]:
    """The screen, once something of the image's size is on it."""
    image = child.image_bgr
    height, width = image.shape[:2]
    deadline = time.monotonic() + 10
    while True:
        part = child.display.screenshot_bgr()[:height, :width]
        if np.array_equal(part, image) or time.monotonic() > deadline:
            return part
        time.sleep(0.05)


def test_the_drawn_image_is_on_the_screen_pixel_by_pixel(child: Child) -> None:
    part = wait_for_image(child)
    assert len(np.unique(child.image_bgr.reshape(-1, 3), axis=0)) > 50  # people were drawn
    np.testing.assert_array_equal(part, child.image_bgr)


def test_the_image_is_painted_at_every_start(display: Display, tmp_path: Path) -> None:
    """Qt misses the first mapping of a window in half of all starts without a window manager."""
    for _ in range(5):
        child = Child(display, (640, 480), tmp_path)
        painted = np.array_equal(wait_for_image(child), child.image_bgr)
        child.finish()
        assert painted


def test_every_key_asks_for_its_command_and_others_for_nothing(child: Child) -> None:
    wait_for_image(child)
    pressed = {
        "s": "snapshot",
        "Left": None,  # its code ends in the letter Q
        "r": "record",
        "space": "pause",
        "x": None,
        "h": "hud",
        "d": "decoding",
        "shift+u": "uncertainty",
        "Escape": "quit",
        "q": "quit",
    }
    for key in pressed:
        child.display.press(child.window, key)
    wanted = [command for command in pressed.values() if command is not None]
    assert [child.next_line() for _ in wanted] == wanted


def test_the_close_button_quits_and_the_window_stays_closed(child: Child) -> None:
    wait_for_image(child)
    child.display.click_close_button(child.window)
    assert child.next_line() == "quit"
    time.sleep(0.3)  # the child goes on showing; nothing may open again
    assert child.display.find_window(TITLE, patience_s=0.0) is None
    out, _ = child.finish()
    assert out.splitlines()[-1] == "polled after the end: ['quit']"
    assert child.process.returncode == 0


def test_nothing_is_printed_on_stderr_by_opening_and_closing_a_window(child: Child) -> None:
    wait_for_image(child)
    out, error = child.finish()
    assert error == ""
    assert out.splitlines()[-1] == "polled after the end: []"
    assert child.process.returncode == 0


def test_a_display_that_cannot_be_reached_is_a_reason_and_no_crash(tmp_path: Path) -> None:
    script = (
        "import json; from livepose.window import Window; print(json.dumps(Window.available()))"
    )
    for name, wanted in ((":4321", "display :4321 cannot be reached"), ("", "no display")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"DISPLAY": name, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        possible, reason = json.loads(done.stdout)
        assert not possible
        assert wanted in reason
