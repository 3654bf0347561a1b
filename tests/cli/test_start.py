"""The window is there before the networks are, and whoever closes it waits for nothing."""

import threading

import pytest
from fakes import FakeWindow, walking

from livepose.cli.run_options import RunOptions
from livepose.cli.start import GettingReady, Stream
from livepose.settings import DrawingStyle
from livepose.sources import open_source
from livepose.window import Command


def test_a_window_that_is_closed_is_not_waited_for():
    goes_on, window = threading.Event(), FakeWindow({3: [Command.QUIT]})
    stream = Stream(RunOptions(), walking(3), window=window)  # which cannot be looked at
    assert not stream.show_until_ready(GettingReady(lambda told: goes_on.wait(10.0)))
    goes_on.set()
    assert len(window.shown) == 3
    assert window.shown[0].any()  # the line, on black


@pytest.mark.parametrize("black", [False, True], ids=["image", "skeleton only"])
def test_the_preview_of_a_file_takes_nothing_from_it(shared, black):
    window, ready = FakeWindow(), GettingReady(lambda told: None)
    asked = RunOptions(style=DrawingStyle(skeleton_only=black))
    with open_source(shared / "video" / "crowd.mp4") as source:
        assert Stream(asked, source, window=window).show_until_ready(ready)
        first_bgr = next(iter(source)).image_bgr * (not black)
    above = slice(None, first_bgr.shape[0] // 2)
    assert (window.shown[0][above] == first_bgr[above]).all()
