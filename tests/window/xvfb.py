"""A real X11 display in memory for tests: started, looked at, typed into, clicked shut."""

import ctypes
import mmap
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
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
        with (
            self._screen.open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as raw,
        ):
            content = bytes(raw)
        header = np.frombuffer(content, dtype=">u4", count=25)
        width, height, stride, colours = (int(header[field]) for field in (4, 5, 12, 19))
        start = int(header[0]) + 12 * colours
        rows = np.frombuffer(content, dtype=np.uint8, offset=start)[: height * stride]
        return rows.reshape(height, stride)[:, : width * 4].reshape(height, width, 4)[..., :3]

    def xdotool(self, *words: str) -> str:
        done = self._run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["xdotool", *words]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=20, check=False
        )

    def find_window(self, title: str, patience_s: float = 20.0) -> int | None:
        """X11's number of the visible window with this title; waits for it, None without one."""
        deadline = time.monotonic() + patience_s
        while True:
            done = self._run("search", "--onlyvisible", "--name", title)
            if done.returncode == 0:
                return int(done.stdout.split()[-1])
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)

    def press(self, window: int, key: str) -> None:
        self.xdotool("windowfocus", "--sync", str(window), "key", key)

    def click_close_button(self, window: int) -> None:
        """Sends what a window manager sends when the close button is clicked."""
        send_delete_message(self.name, window)


@contextmanager
def running_display(folder: Path) -> Iterator[Display]:
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
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


class _ClientMessage(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("rest_of_the_union", ctypes.c_long * 24),
    )


def send_delete_message(display_name: str, window: int) -> None:
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XInternAtom.restype = ctypes.c_ulong
    x11.XInternAtom.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    x11.XSendEvent.argtypes = [
        *(ctypes.c_void_p, ctypes.c_ulong, ctypes.c_int, ctypes.c_long),
        ctypes.POINTER(_ClientMessage),
    ]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(display_name.encode())
    assert display
    message = _ClientMessage(type=33, window=window, format=32)
    message.message_type = x11.XInternAtom(display, b"WM_PROTOCOLS", 0)
    message.data[0] = x11.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
    assert x11.XSendEvent(display, window, 0, 0, ctypes.byref(message))
    x11.XCloseDisplay(display)
