"""The window on a real display: what is on the screen, and what keys and the close button do."""

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
IMAGE_BGR = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
CHILD = """
import select, sys, time
import numpy as np
from livepose.window import Window

assert Window.available() == (True, ""), Window.available()
image = np.load(sys.argv[1])
end = time.monotonic() + 60
with Window("livepose window test") as window:
    window.show(image)
    print("open", flush=True)
    while time.monotonic() < end:
        window.show(image)
        for command in window.poll():
            print(command.name.lower(), flush=True)
        if select.select([sys.stdin], [], [], 0.005)[0]:
            break
    print("polled after the end:", [command.name for command in window.poll()], flush=True)
"""


class Child:
    """A program with a window, in its own process."""

    def __init__(self, display: Display, folder: Path) -> None:
        np.save(folder / "image.npy", IMAGE_BGR)
        words = [sys.executable, "-c", CHILD, str(folder / "image.npy")]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self.process = subprocess.Popen(words, env=display.environment, text=True, **pipes)
        self.display, self.window = display, display.find_window(TITLE)
        if self.window is None:
            self.process.kill()
            raise AssertionError(f"no window came: {self.process.communicate()}")
        assert self.next_line() == "open"  # keys are heard from now on

    def next_line(self) -> str:
        return self.process.stdout.readline().strip()

    def finish(self) -> tuple[str, str]:
        said = self.process.communicate("end\n", timeout=20)
        assert self.process.returncode == 0
        return said

    def image(self) -> NDArray[np.uint8]:
        """What is on the screen where the image is to be; waits for it."""
        deadline = time.monotonic() + 10
        while True:
            part = self.display.screenshot_bgr()[:480, :640]
            if np.array_equal(part, IMAGE_BGR) or time.monotonic() > deadline:
                return part
            time.sleep(0.05)


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    with running_display(tmp_path_factory.mktemp("screen")) as running:
        yield running


@pytest.fixture
def child(display: Display, tmp_path: Path) -> Iterator[Child]:
    started = Child(display, tmp_path)
    started.image()
    yield started
    started.process.kill()
    started.process.communicate()


def test_the_image_is_painted_pixel_by_pixel_at_every_start(display, tmp_path):
    """Qt misses the first mapping of a window in many starts without a window manager."""
    for _ in range(3):
        child = Child(display, tmp_path)
        shown = child.image()
        child.finish()
        np.testing.assert_array_equal(shown, IMAGE_BGR)


def test_every_key_asks_for_its_command_and_nothing_is_printed_on_stderr(child):
    pressed = {
        "x": None,  # may be lost, until Qt knows that it has the focus
        "Left": None,  # its code ends in the letter Q
        "s": "snapshot",
        "r": "record",
        "space": "pause",
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
    assert child.finish() == ("polled after the end: []\n", "")


def test_the_close_button_quits_and_the_window_stays_closed(child):
    child.display.click_close_button(child.window)
    assert child.next_line() == "quit"
    time.sleep(0.3)  # the child goes on showing; nothing may open again
    assert child.display.find_window(TITLE, patience_s=0.0) is None
    assert child.finish()[0].splitlines()[-1] == "polled after the end: ['QUIT']"
