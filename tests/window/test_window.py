"""The window's decisions that need no display."""

import socket
import subprocess
import sys

import cv2
import numpy as np
import pytest

from livepose import window as display
from livepose.window import Command, Window, command_of, quieten_qt

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks about X11 on Linux")


@pytest.mark.parametrize(
    ("code", "command"),
    [
        *((0x100000 | ord("Q"), Command.QUIT), (0x10000 | ord("S"), Command.SNAPSHOT)),
        *((0xFF51, None), (0xFFE1, None), (63234, None), (0, None)),
    ],
)
def test_a_key_means_its_command_and_arrows_and_modifiers_alone_nothing(code, command):
    assert command_of(code) is command


def test_before_the_first_image_there_is_nothing_to_poll_and_nothing_to_close():
    window = Window("never shown")
    assert window.poll() == []
    window.close()
    window.close()
    assert window.poll() == [Command.QUIT]
    window.show(np.zeros((4, 4, 3), np.uint8))  # closed: nothing opens, with or without a display


def test_a_headless_opencv_is_told_from_one_with_windows():
    assert "headless" in display._missing_toolkit("  GUI:                           NONE\n")
    assert "headless" in display._missing_toolkit("")
    for toolkit in ("QT5", "GTK3", "WIN32UI", "COCOA", "WAYLAND"):
        assert display._missing_toolkit(f"\n  GUI:               {toolkit}\n") == ""
    assert display._missing_toolkit(cv2.getBuildInformation()) == ""


@LINUX
def test_why_there_is_no_display_is_a_reason_and_no_crash(monkeypatch):
    assert "DISPLAY is not set" in display._missing_display({})
    assert "XWayland" in display._missing_display({"WAYLAND_DISPLAY": "wayland-0"})
    monkeypatch.setenv("DISPLAY", ":4321")
    possible, reason = Window.available()
    assert not possible and "display :4321 cannot be reached" in reason


@LINUX
@pytest.mark.parametrize("asked", ["wayland", "offscreen", "wayland;xcb", "nonsense:0"])
def test_a_platform_that_this_opencv_has_not_is_not_asked_for(asked):
    assert "DISPLAY is not set" in display._missing_display({"QT_QPA_PLATFORM": asked})
    environment = {"QT_QPA_PLATFORM": asked, "DISPLAY": ":0"}
    quieten_qt(environment)
    assert environment["QT_QPA_PLATFORM"] == "xcb"


@LINUX
def test_a_display_that_accepts_but_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(display, "_PROBE_S", 0.7)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1] - 6000}"
        monkeypatch.setenv("DISPLAY", name)
        assert "did not answer within 0.7 s" in display._missing_display({"DISPLAY": name})


@pytest.mark.parametrize("module", ["livepose.sinks.video", "livepose.sources"])
def test_whatever_is_imported_first_pyav_does_not_come_before_opencv(module):
    """With the X libraries that PyAV brings OpenCV's windows hang."""
    code = f"import sys, {module}; names = list(sys.modules); print(names.index('cv2'), end=' ')"
    code += "; print(names.index('av'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opencv, pyav = map(int, done.stdout.split())
    assert opencv < pyav
