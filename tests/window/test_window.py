"""The window's decisions that need no display."""

import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose import window as display
from livepose.window import Command, Window, command_of, quieten_qt

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks about X11 on Linux")


@pytest.mark.parametrize(
    ("code", "command"),
    [
        (ord("q"), Command.QUIT),
        (ord("Q"), Command.QUIT),
        (27, Command.QUIT),
        (0x100000 | ord("q"), Command.QUIT),
        (0x10000 | ord("S"), Command.SNAPSHOT),
        (ord("r"), Command.RECORD),
        (ord(" "), Command.PAUSE),
        (ord("h"), Command.HUD),
        (ord("d"), Command.DECODING),
        (ord("u"), Command.UNCERTAINTY),
    ],
)
def test_a_key_with_or_without_modifiers_means_its_command(code: int, command: Command) -> None:
    assert command_of(code) is command


@pytest.mark.parametrize("code", [0xFF51, 0xFF52, 0x250000, 0xFFE1, 63234, ord("x"), 13, 0])
def test_arrows_modifiers_and_other_letters_mean_nothing(code: int) -> None:
    assert command_of(code) is None


def test_before_the_first_image_there_is_nothing_to_poll_and_nothing_to_close() -> None:
    window = Window("never shown")
    assert window.poll() == []
    window.close()
    window.close()
    assert window.poll() == [Command.QUIT]
    window.show(np.zeros((4, 4, 3), np.uint8))  # closed: nothing opens, with or without a display


def test_a_headless_opencv_is_told_from_one_with_windows() -> None:
    assert "headless" in display._missing_toolkit("  GUI:                           NONE\n")
    assert "headless" in display._missing_toolkit("")
    for toolkit in ("QT5", "GTK3", "WIN32UI", "COCOA", "WAYLAND"):
        assert display._missing_toolkit(f"\n  GUI:               {toolkit}\n") == ""
    assert display._missing_toolkit(cv2.getBuildInformation()) == ""


@LINUX
def test_without_a_display_the_reason_names_the_variable() -> None:
    assert "DISPLAY is not set" in display._missing_display({})
    assert "XWayland" in display._missing_display({"WAYLAND_DISPLAY": "wayland-0"})


@LINUX
@pytest.mark.parametrize("asked", ["wayland", "offscreen", "wayland;xcb", "nonsense:0"])
def test_a_platform_that_this_opencv_has_not_is_not_asked_for(asked: str) -> None:
    assert "DISPLAY is not set" in display._missing_display({"QT_QPA_PLATFORM": asked})
    environment = {"QT_QPA_PLATFORM": asked, "DISPLAY": ":0"}
    quieten_qt(environment)
    assert environment["QT_QPA_PLATFORM"] == "xcb"


@LINUX
def test_a_platform_that_is_there_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = tmp_path / "qt" / "plugins" / "platforms"
    plugins.mkdir(parents=True)
    (plugins / "libqoffscreen.so").touch()
    monkeypatch.setattr("livepose.window.cv2.__file__", str(tmp_path / "__init__.py"))
    assert display._missing_display({"QT_QPA_PLATFORM": "offscreen"}) == ""


@LINUX
def test_a_display_that_accepts_but_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(display, "_PROBE_S", 0.7)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        name = f"127.0.0.1:{silent.getsockname()[1] - 6000}"
        monkeypatch.setenv("DISPLAY", name)
        assert "did not answer within 0.7 s" in display._missing_display({"DISPLAY": name})


@pytest.mark.parametrize("module", ["livepose.sinks.video", "livepose.sources", "livepose.player"])
def test_whatever_is_imported_first_pyav_does_not_come_before_opencv(module: str) -> None:
    """With the X libraries that PyAV brings OpenCV's windows hang."""
    code = f"import sys, {module}; names = list(sys.modules); print(names.index('cv2'), end=' ')"
    code += "; print(names.index('av'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opencv, pyav = map(int, done.stdout.split())
    assert opencv < pyav
