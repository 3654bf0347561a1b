"""The window is there before the networks are, and whoever closes it waits for nothing."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeWindow, walking

from livepose.cli import start
from livepose.cli.run_options import RunOptions, WindowOptions
from livepose.cli.start import PARTS, GettingReady, Stream
from livepose.frame import ImageBgr
from livepose.sources import Source, open_source
from livepose.window import Command, captioned


def stream(window: FakeWindow | None = None, **look: Any) -> Stream:
    """A stream whose source cannot be looked at."""
    source = walking(3)
    asked = RunOptions(window=WindowOptions(**look))
    return Stream(asked, source, lambda: source, window=window)  # type: ignore[arg-type]


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
    monkeypatch.setattr(start, "LATE_S", 0.0)
    assert ready.line.endswith("% (a first start compiles, for up to a minute)")
    goes_on.set()
    assert ready.result() == "ready"


def test_images_are_shown_until_all_is_ready() -> None:
    over = threading.Event()

    class Window(FakeWindow):
        def show(self, image_bgr: ImageBgr) -> None:
            super().show(image_bgr)
            if len(self.shown) > 3:
                over.set()

    window = Window()
    assert stream(window).show_until_ready(GettingReady(lambda told: over.wait(10.0)))
    assert len(window.shown) > 3
    assert window.shown[0].any()  # the line, on black


def test_a_mirror_turns_the_image_in_the_window_and_not_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window, half = FakeWindow({1: [Command.QUIT]}), np.full((240, 320, 3), 90, np.uint8)
    half[:, :160] = 200
    monkeypatch.setattr(Stream, "images", lambda self: iter([half]))
    ready = GettingReady(lambda told: None)
    assert not stream(window, mirror=True).show_until_ready(ready)
    assert (window.shown[0] == captioned(half[:, ::-1], ready.line)).all()


def test_what_goes_wrong_on_the_way_is_told_at_the_end() -> None:
    def fail(told: object) -> None:
        raise ValueError("no weights")

    ready = GettingReady(fail)
    assert stream(FakeWindow()).show_until_ready(ready)
    with pytest.raises(ValueError, match="no weights"):
        ready.result()


def test_a_window_that_is_closed_is_not_waited_for() -> None:
    goes_on, window = threading.Event(), FakeWindow({1: [Command.QUIT]})
    assert not stream(window).show_until_ready(GettingReady(lambda told: goes_on.wait(10.0)))
    assert window.closed == 1
    goes_on.set()


def test_the_preview_of_a_file_takes_nothing_from_it(shared: Path) -> None:
    def again() -> Source:
        return open_source(shared / "video" / "crowd.mp4")

    with again() as source:
        seen = next(Stream(RunOptions(), source, again).images())
        assert (next(iter(source)).image_bgr == seen).all()
        black = RunOptions(window=WindowOptions(skeleton_only=True))
        assert not next(Stream(black, source, again).images()).any()
