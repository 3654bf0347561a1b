"""A real X11 display in memory for tests: started, looked at, typed into, clicked shut."""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

NEEDED = ("Xvfb", "xdotool")


class Display:
    """One running Xvfb with its image in a file."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.environment = {**os.environ, "DISPLAY": name}
        self._screen = folder / "Xvfb_screen0"

    def screenshot_bgr(self) -> NDArray[np.uint8]:
        """The whole screen, from the XWD file that Xvfb keeps up to date."""
        content = self._screen.read_bytes()
        header = np.frombuffer(content, dtype=">u4", count=25)
        width, height, stride, colours = (int(header[field]) for field in (4, 5, 12, 19))
        start = int(header[0]) + 12 * colours
        rows = np.frombuffer(content, dtype=np.uint8, offset=start)[: height * stride]
        return rows.reshape(height, stride)[:, : width * 4].reshape(height, width, 4)[..., :3]

    def _xdotool(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["xdotool", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=20
        )

    def find_window(self, title: str, patience_s: float = 20.0) -> int | None:
        """X11's number of the visible window with this title; waits for it, None without one."""
        deadline = time.monotonic() + patience_s
        while True:
            done = self._xdotool("search", "--onlyvisible", "--name", title)
            if done.returncode == 0:
                return int(done.stdout.split()[-1])
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)

    def press(self, window: int, key: str) -> None:
        done = self._xdotool("windowfocus", "--sync", str(window), "key", key)
        assert done.returncode == 0, done.stderr

    def click_close_button(self, window: int) -> None:
        """Sends what a window manager sends when the close button is clicked."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        assert display
        protocols, delete = (
            x11.XInternAtom(display, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        # An XClientMessageEvent: type, serial, send_event, display, window, message type, format
        # (in bits), and its first datum; each takes the room of a long.
        event = (ctypes.c_long * 24)(33, 0, 0, 0, window, protocols, 32, delete)
        assert x11.XSendEvent(display, ctypes.c_ulong(window), 0, 0, ctypes.byref(event))
        x11.XCloseDisplay(display)


@contextmanager
def running_display(folder: Path) -> Iterator[Display]:
    if missing := [tool for tool in NEEDED if shutil.which(tool) is None]:
        pytest.skip(f"needs {' and '.join(missing)}: apt-get install xvfb xdotool")
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1400x1000x24"]
    command += ["-nolisten", "tcp", "-noreset", "-fbdir", str(folder)]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            number = answer.readline().strip()
        try:
            assert number, "Xvfb did not start"
            yield Display(f":{number}", folder)
        finally:
            server.terminate()


@contextmanager
def program(command: Sequence[str], display: Display, said: Path) -> Iterator[subprocess.Popen]:
    """A program on the display, which is over when the block is; it says on stderr into a file."""
    environment = {**display.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    with said.open("w") as stderr:
        process = subprocess.Popen(command, env=environment, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
