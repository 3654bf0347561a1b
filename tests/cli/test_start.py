"""The window is there before the networks are, and whoever closes it waits for nothing."""

import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeWindow, walking

from livepose.cli import getting_ready
from livepose.cli.getting_ready import PARTS, GettingReady, Preview, preview_images
from livepose.sources import Source, open_source
from livepose.window import Command, captioned

PICTURE = np.full((240, 320, 3), 90, np.uint8)


def test_the_line_names_what_is_missing_and_how_much_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, goes_on = threading.Event(), threading.Event()

    def work(told: Callable[[str], None]) -> str:
        told("libraries")
        told("pose network")
        waits.set()
        goes_on.wait(10.0)
        return "ready"

    ready = GettingReady(work)
    waits.wait(10.0)
    assert ready.line == f"getting ready: detector {PARTS['libraries'] + PARTS['pose network']} %"
    monkeypatch.setattr(getting_ready, "LATE_S", 0.0)
    assert ready.line.endswith("% (a first start compiles, for up to a minute)")
    goes_on.set()
    assert ready.result() == "ready"


def test_pictures_are_shown_until_all_is_ready() -> None:
    over = threading.Event()
    ready = GettingReady(lambda told: over.wait(10.0))
    window = FakeWindow()
    shown = []
    window.show = lambda image_bgr: (shown.append(image_bgr), len(shown) > 3 and over.set())  # type: ignore[method-assign,assignment]
    assert Preview(repeat(PICTURE), window).show_until(ready)  # type: ignore[arg-type]
    assert len(shown) > 3
    assert (shown[0] != PICTURE).any()
    assert (PICTURE == 90).all()


def test_a_mirror_turns_the_picture_in_the_window_and_not_the_line() -> None:
    window, half = FakeWindow({1: [Command.QUIT]}), PICTURE.copy()
    half[:, :160] = 200
    preview = Preview(repeat(half), window, mirror=True)  # type: ignore[arg-type]
    waited = GettingReady(lambda told: None)
    assert not preview.show_until(waited)
    assert (window.shown[0] == captioned(half[:, ::-1], waited.line)).all()


def test_what_goes_wrong_on_the_way_is_told_at_the_end() -> None:
    def fail(told: object) -> None:
        raise ValueError("no weights")

    ready = GettingReady(fail)
    assert Preview(repeat(PICTURE), FakeWindow()).show_until(ready)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no weights"):
        ready.result()


def test_a_window_that_is_closed_is_not_waited_for() -> None:
    goes_on = threading.Event()
    ready = GettingReady(lambda told: goes_on.wait(10.0))
    window = FakeWindow({1: [Command.QUIT]})
    assert not Preview(repeat(PICTURE), window).show_until(ready)  # type: ignore[arg-type]
    assert window.closed == 1
    goes_on.set()


def test_a_process_ends_at_once_while_a_thread_is_inside_a_library() -> None:
    code = (
        "import threading, time; from livepose.cli import end;"
        "threading.Thread(target=time.sleep, args=(60,), name='prefetch', daemon=True).start();"
        "import atexit; atexit.register(print, 'the interpreter ends'); print('closed'); end(7)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (7, "closed\n"), done.stderr


def test_the_preview_of_a_file_takes_nothing_from_it(shared: Path) -> None:
    def again() -> Source:
        return open_source(shared / "video" / "crowd.mp4")

    with again() as source:
        seen = next(preview_images(source, again))
        assert (next(iter(source)).image_bgr == seen).all()
        assert not next(preview_images(source, again, black=True)).any()


def test_the_preview_of_a_source_that_cannot_be_looked_at_is_black() -> None:
    source = walking(3, live=True)
    assert not next(preview_images(source, lambda: source)).any()


def test_the_line_is_readable_on_any_picture() -> None:
    for height, width in ((96, 128), (480, 640), (2160, 3840)):
        white = np.full((height, width, 3), 255, np.uint8)
        drawn = captioned(white, "getting ready: detector 40 %")
        assert drawn.shape == white.shape
        assert (drawn[-3] == 0).any()


def test_nothing_that_takes_seconds_is_loaded_before_the_window() -> None:
    code = (
        "import sys, livepose.cli.start, livepose.live.view;"
        "heavy = {'numba', 'scipy', 'torch', 'openvino', 'ultralytics'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
