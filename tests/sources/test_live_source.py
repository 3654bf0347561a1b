import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from livepose.errors import SourceError
from livepose.frame import Frame
from livepose.sources import LiveSettings, LiveSource
from livepose.sources.live import CaptureLost

QUICK = LiveSettings(
    open_timeout_s=1.0,
    stall_after_s=0.4,
    reconnect_s=1.2,
    first_pause_s=0.05,
    longest_pause_s=0.1,
)


class FakeCapture:
    """Sends frames at a rate; the value of each pixel is its number."""

    mode = "delivers what the test wants"
    scale_xy = (1.0, 1.0)

    def __init__(self, fps=100.0, frames=None, size_wh=(32, 24), hang=None):
        self.fps, self.frames, self.size_wh, self.hang = fps, frames, size_wh, hang
        self.count, self.closed = 0, False

    def read(self):
        if self.frames is not None and self.count >= self.frames:
            if self.hang is not None:
                self.hang.wait(10)
            raise CaptureLost("the device stopped")
        time.sleep(1 / self.fps)
        image_bgr = np.full((self.size_wh[1], self.size_wh[0], 3), self.count % 256, np.uint8)
        self.count += 1
        return image_bgr, time.perf_counter()

    def close(self):
        self.closed = True


class Openers:
    """Hands out one capture after another; an error is raised, the last one stays."""

    def __init__(self, *captures):
        self.captures, self.calls = list(captures), 0

    def __call__(self):
        capture = self.captures[min(self.calls, len(self.captures) - 1)]
        self.calls += 1
        if isinstance(capture, SourceError):
            raise capture
        return capture


def open_fake(*captures, said=None, settings=QUICK, rotate=0):
    return LiveSource(
        Openers(*captures), name="camera 7", kind="camera", rotate=rotate, settings=settings
    )


def test_the_age_of_a_frame_stays_bounded_when_the_consumer_is_slow():
    ages_s, drops = [], 0
    with open_fake(FakeCapture(fps=100)) as source:
        for frame in source:
            ages_s.append(time.perf_counter() - frame.captured_s)
            drops += frame.dropped
            time.sleep(0.06)
            if frame.index == 15:
                break
    assert max(ages_s) < 0.3  # a queue would make it 0.8
    assert drops > 30


def test_dropped_and_delivered_frames_add_up_to_the_captured_ones():
    seen = 0
    with open_fake(FakeCapture(fps=200)) as source:
        for frame in source:
            number = int(frame.image_bgr[0, 0, 0])
            seen += 1 + frame.dropped
            assert seen == number + 1
            time.sleep(0.02)
            if frame.index == 8:
                break


def test_times_are_those_of_capture_from_the_first_frame_on():
    with open_fake(FakeCapture(fps=200)) as source:
        frames = [frame for frame, _ in zip(source, range(5), strict=False)]
    times_s = [frame.time_s for frame in frames]
    assert times_s[0] == 0.0
    assert times_s == sorted(set(times_s))
    assert frames[4].captured_s - frames[0].captured_s == pytest.approx(times_s[4] - times_s[0])
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]


def test_a_device_that_ends_is_opened_again_and_both_are_said(said):
    first, second = FakeCapture(frames=5), FakeCapture(size_wh=(64, 48))
    with open_fake(first, SourceError("busy"), SourceError("busy"), second) as source:
        assert source.size_wh == (32, 24)
        for frame in source:
            if frame.size_wh == (64, 48):
                break
        assert source.size_wh == (64, 48)
    assert first.closed
    assert said[0] == "camera 7: delivers what the test wants"
    assert "camera 7 sends no frames (the device stopped); reconnecting" in said[1]
    assert said[2].startswith("camera 7 is back after 0.")
    assert said[3] == "camera 7 now sends frames of 64x48, before 32x24"


def test_a_stall_inside_the_driver_is_noticed_and_mended(said):
    hang = threading.Event()
    with open_fake(FakeCapture(frames=4, hang=hang), FakeCapture()) as source:
        start_s = time.perf_counter()
        for frame in source:
            if frame.index == 20:
                break
        assert time.perf_counter() - start_s < 4
    hang.set()
    assert any("no frame for 0." in sentence for sentence in said)
    assert any("is back" in sentence for sentence in said)


def test_a_size_that_changes_within_a_connection_is_said_once(said):
    capture = FakeCapture()
    with open_fake(capture, rotate=90) as source:
        for frame in source:
            if frame.index == 3:
                capture.size_wh = (64, 48)
            if frame.size_wh == (48, 64):
                break
        assert source.size_wh == (48, 64)
    assert len([sentence for sentence in said if "now sends" in sentence]) == 1


def test_a_camera_that_dies_for_good_ends_with_one_sentence():
    source = open_fake(FakeCapture(frames=12), SourceError("gone"))
    with source, pytest.raises(SourceError) as caught:
        list(source)
    assert str(caught.value).startswith("camera 7 stopped sending frames after 12 frames (0.")
    assert str(caught.value).endswith("is it unplugged or used by another program?")


def test_a_camera_that_hangs_for_good_ends_too():
    hang = threading.Event()
    hanging = [FakeCapture(frames=n, hang=hang) for n in (3, 0)]
    with open_fake(*hanging) as source, pytest.raises(SourceError, match="after 3 frames"):
        for _ in source:
            pass
    hang.set()


def test_a_camera_that_does_not_open_is_an_error_at_once():
    start_s = time.perf_counter()
    with pytest.raises(SourceError, match="camera 7 does not open; plug it in"):
        open_fake(SourceError("camera 7 does not open; plug it in"))
    assert time.perf_counter() - start_s < 1


def test_a_camera_that_opens_but_sends_nothing_is_an_error_in_time():
    hang = threading.Event()
    start_s = time.perf_counter()
    with pytest.raises(SourceError, match=r"camera 7 sent no frame within 1 s"):
        open_fake(FakeCapture(frames=0, hang=hang))
    assert time.perf_counter() - start_s < 4
    hang.set()


def test_reconnecting_goes_on_while_the_consumer_pauses():
    captures = [FakeCapture(frames=5), SourceError("busy"), FakeCapture()]
    with open_fake(*captures) as source:
        frames = iter(source)
        next(frames)
        time.sleep(1.6)  # longer than it takes to give up
        assert next(frames).dropped > 20


def test_closing_ends_the_iteration_and_can_be_done_twice():
    capture = FakeCapture()
    source = open_fake(capture)
    threading.Timer(0.1, source.close).start()
    frames = list(source)
    source.close()
    assert frames and capture.closed


def test_the_measured_rate_counts_dropped_frames_too():
    with open_fake(FakeCapture(fps=50)) as source:
        time.sleep(0.6)
        assert 30 < source.fps < 51
        assert source.frame_count is None and source.live


def test_time_begins_with_the_first_frame_that_is_taken_whatever_came_before():
    with open_fake(FakeCapture(fps=200)) as source:
        time.sleep(0.4)  # networks are made ready
        first, second = (frame for frame, _ in zip(source, range(2), strict=False))
    assert first.time_s == 0.0 and first.dropped > 20
    assert 0.0 < second.time_s < 0.3


def test_a_live_frame_knows_the_wall_clock_and_a_frame_of_a_file_does_not():
    with open_fake(FakeCapture()) as source:
        frame = next(iter(source))
        assert frame.unix_s == pytest.approx(time.time(), abs=1.0)
    assert Frame(frame.image_bgr, 0.0, 0).unix_s is None


AWAY = replace(QUICK, reconnect_s=30.0, wait_at_start=True)


def test_a_camera_that_is_away_at_the_start_is_waited_for(said):
    busy = [SourceError("busy")] * 8
    with open_fake(*busy, FakeCapture(size_wh=(64, 48)), settings=AWAY) as source:
        assert source.size_wh == (64, 48)
        assert next(iter(source)).time_s == 0.0
    assert said[0] == "camera 7 sends no frames (busy); reconnecting for 30 s"
    assert said[1].startswith("camera 7 is here after ")


def test_a_camera_that_never_comes_is_waited_for_no_longer_than_was_asked():
    patience = replace(QUICK, reconnect_s=0.5, wait_at_start=True)
    with pytest.raises(SourceError, match=r"camera 7 sent no frame within 0.5 s"):
        open_fake(SourceError("busy"), settings=patience)


def test_forever_is_longer_than_any_outage(said):
    patience = replace(QUICK, reconnect_s=float("inf"))
    gone = [SourceError("busy")] * 25
    with open_fake(FakeCapture(frames=3), *gone, FakeCapture(), settings=patience) as source:
        for frame in source:
            if frame.index == 6:
                break
    assert frame.time_s > QUICK.reconnect_s
    assert "camera 7 sends no frames (the device stopped); reconnecting until it is back" in said


def test_an_open_that_is_deferred_returns_at_once_and_can_be_given_up():
    patience = replace(QUICK, reconnect_s=float("inf"), wait_at_start=True, deferred=True)
    source = open_fake(SourceError("busy"), settings=patience)
    assert source.wait_for_first(0.1) is False and source.size_wh == (0, 0)
    threading.Timer(0.2, source.close).start()
    assert source.wait_for_first() is False
    assert list(source) == []


def test_a_deferred_camera_that_does_not_open_tells_it_when_it_is_waited_for():
    source = open_fake(SourceError("camera 7 is busy"), settings=replace(QUICK, deferred=True))
    with pytest.raises(SourceError, match="camera 7 is busy"):
        source.wait_for_first()


def test_a_driver_that_hangs_for_hours_leaves_few_threads_behind():
    hang = threading.Event()
    before = threading.active_count()
    patience = replace(
        QUICK, open_timeout_s=0.02, stall_after_s=0.02, reconnect_s=30.0, wait_at_start=True
    )
    hanging = [FakeCapture(frames=0, hang=hang) for _ in range(60)]
    with open_fake(*hanging, settings=replace(patience, deferred=True)) as source:
        assert source.wait_for_first(2.5) is False
        assert threading.active_count() - before <= 10
    hang.set()
