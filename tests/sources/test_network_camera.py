import subprocess
import threading
import time
from fractions import Fraction

import pytest
from sources.drawn import write_video
from sources.loopback import (
    GSTREAMER_SERVER,
    SYSTEM_PYTHON,
    MjpegCamera,
    RtspCamera,
    free_port,
    has_gstreamer_server,
)

from livepose.errors import SourceError
from livepose.sources import LiveSettings, open_source, open_stream
from livepose.sources.camera import StreamCapture

PATIENCE = LiveSettings(open_timeout_s=5, stall_after_s=0.7, reconnect_s=4, first_pause_s=0.1)


def opened(camera, settings=PATIENCE):
    return open_stream(camera.url, settings=settings)


def take(frames, count):
    return [frame for frame, _ in zip(frames, range(count), strict=False)]


@pytest.mark.parametrize("kind", [MjpegCamera, RtspCamera])
def test_a_network_camera_that_is_cut_and_brought_back_goes_on_in_its_new_size(said, kind):
    with kind((320, 240)) as camera, opened(camera) as source:
        frames = iter(source)
        before = take(frames, 10)
        assert source.size_wh == (320, 240) and source.kind == "url" and source.live
        camera.cut()
        time.sleep(0.3)
        camera.size_wh = (640, 480)
        camera.start()
        after = next(frame for frame in frames if frame.size_wh == (640, 480))
        assert source.size_wh == (640, 480)
    times_s = [frame.time_s for frame in (*before, after)]
    assert times_s == sorted(times_s) and after.time_s - before[-1].time_s > 0.3
    assert abs(int(before[0].image_bgr[100, 100].mean()) - 60) < 6
    for words in ("delivers", "sends no frames", "is back", "640x480, before 320x240"):
        assert any(words in sentence for sentence in said)


def test_a_network_camera_that_goes_silent_is_noticed(said):
    with MjpegCamera() as camera, opened(camera) as source:
        frames = iter(source)
        take(frames, 3)
        camera.stalled = True
        time.sleep(1.2)
        camera.stalled = False
        take(frames, 30)
    assert camera.connections == 2
    assert any("no answer in time" in s or "no frame for" in s for s in said)
    assert any("is back after" in sentence for sentence in said)


def test_the_age_of_a_network_frame_stays_bounded_when_the_consumer_is_slow():
    ages_s, dropped = [], 0
    with MjpegCamera(fps=60) as camera, opened(camera) as source:
        for frame in source:
            ages_s.append(time.perf_counter() - frame.captured_s)
            dropped += frame.dropped
            time.sleep(0.1)
            if frame.index == 10:
                break
    assert dropped > 20
    assert max(ages_s) < 0.3  # a queue would make it 0.8


def test_a_network_camera_that_stays_away_ends_with_one_sentence():
    patience = LiveSettings(reconnect_s=0.8, first_pause_s=0.1)
    with MjpegCamera() as camera, opened(camera, patience) as source:
        frames = iter(source)
        take(frames, 3)
        camera.cut()
        with pytest.raises(SourceError, match=r"stopped sending frames after \d+ frames \("):
            list(frames)


def test_an_address_where_nobody_answers_is_an_error_within_seconds():
    start_s = time.perf_counter()
    with pytest.raises(SourceError, match=r"does not open: Connection refused; is the address"):
        open_source(f"rtsp://127.0.0.1:{free_port()}/live")
    assert time.perf_counter() - start_s < 4


def test_an_address_without_a_camera_is_an_error():
    with MjpegCamera() as camera, pytest.raises(SourceError, match=r"404"):
        open_source(camera.url + "/other")


@pytest.mark.skipif(
    not has_gstreamer_server(),
    reason="needs Debian's gir1.2-gst-rtsp-server-1.0, python3-gi and gstreamer1.0-plugins-good",
)
def test_gstreamers_rtsp_server_is_understood_too():
    port = free_port()
    command = [SYSTEM_PYTHON, "-c", GSTREAMER_SERVER, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            server.stdout.readline()
            with open_source(f"rtsp://127.0.0.1:{port}/live") as source:
                assert source.size_wh == (320, 240)
                assert take(source, 10)[-1].time_s > 0.1
        finally:
            server.kill()


def test_a_camera_with_a_key_frame_every_eight_seconds_opens_with_its_first_one():
    with RtspCamera() as camera:
        camera.key_frame_every = 8 * 25
        start_s = time.perf_counter()
        with opened(camera) as source:
            assert len(take(source, 3)) == 3
        assert time.perf_counter() - start_s < 4


def test_a_camera_that_is_switched_on_later_is_waited_for(said):
    camera = MjpegCamera()
    patience = LiveSettings(reconnect_s=20, wait_at_start=True, first_pause_s=0.1)
    threading.Timer(0.6, camera.start).start()
    with opened(camera, settings=patience) as source:
        assert len(take(source, 3)) == 3
    camera.cut()
    assert "reconnecting for 20 s" in said[0]


def test_frames_of_anamorphic_streams_are_squared(tmp_path):
    path = write_video(tmp_path / "a.ts", [k / 25 for k in range(10)], aspect=Fraction(2, 1))
    capture = StreamCapture(f"file://{path}", LiveSettings())
    image_bgr, _ = capture.read()
    capture.close()
    assert image_bgr.shape == (48, 128, 3) and capture.scale_xy == (2.0, 1.0)
