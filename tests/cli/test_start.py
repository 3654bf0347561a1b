"""The window is there before the networks are, and whoever closes it waits for nothing."""

import threading
from pathlib import Path
from typing import Any

from fakes import FakeWindow, walking

from livepose.cli.run_options import RunOptions, SourceOptions, WindowOptions
from livepose.cli.start import GettingReady, Stream, opened
from livepose.frame import ImageBgr
from livepose.window import Command


def stream(window: FakeWindow | None = None, **look: Any) -> Stream:
    """A stream whose source cannot be looked at."""
    asked = RunOptions(window=WindowOptions(**look))
    return Stream(asked, walking(3), window=window)  # type: ignore[arg-type]


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


def test_a_window_that_is_closed_is_not_waited_for() -> None:
    goes_on, window = threading.Event(), FakeWindow({1: [Command.QUIT]})
    assert not stream(window).show_until_ready(GettingReady(lambda told: goes_on.wait(10.0)))
    goes_on.set()


def test_the_preview_of_a_file_takes_nothing_from_it(shared: Path) -> None:
    sources = SourceOptions(video=(str(shared / "video" / "crowd.mp4"),))
    with opened(sources) as source:
        seen = next(Stream(RunOptions(sources), source).images())
        assert (next(iter(source)).image_bgr == seen).all()
        black = RunOptions(sources, window=WindowOptions(skeleton_only=True))
        assert not next(Stream(black, source).images()).any()
