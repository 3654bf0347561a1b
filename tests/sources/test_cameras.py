"""Live sources: the newest frame only, outages mended and said, cameras here and in the network."""

import threading
import time
from dataclasses import replace
from itertools import count, islice
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
from sources.loopback import MjpegCamera, RtspCamera, free_port

from livepose.cli import main
from livepose.errors import SourceError
from livepose.frame import Frame
from livepose.sources import LiveSettings, LiveSource, camera, open_camera, open_source
from livepose.sources.camera import Camera, list_cameras

QUICK = LiveSettings(
    open_timeout_s=0.5, stall_after_s=0.3, reconnect_s=0.6, first_pause_s=0.05, longest_pause_s=0.1
)
AWAY = replace(QUICK, reconnect_s=30.0, wait_at_start=True)
FOREVER = replace(QUICK, reconnect_s=float("inf"), wait_at_start=True)
BUSY = SourceError("camera 7 is busy")


def sending(fps=100.0, frames=None, size_wh=(32, 24), hang=None):
    """A camera: the value of each pixel is the number of its frame."""

    def capture():
        for number in count():
            if number == frames:
                if hang is not None:
                    hang.wait(10)
                raise OSError("the device stopped")
            time.sleep(1 / fps)
            now_s = time.perf_counter()
            image_bgr = np.full((size_wh[1], size_wh[0], 3), number % 256, np.uint8)
            yield Frame(image_bgr, now_s, 0, now_s)

    return capture


def open_fake(*captures, settings=QUICK):
    """Opens one capture after another; an error is raised, the last one stays."""
    left = list(captures)

    def opened():
        capture = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(capture, SourceError):
            raise capture
        return capture()

    return LiveSource(opened, name="camera 7", kind="camera", settings=settings)


@pytest.fixture
def hang():
    """Holds a driver up until the test ends."""
    event = threading.Event()
    yield event
    event.set()


def test_a_slow_consumer_gets_fresh_frames_and_the_dropped_ones_are_counted():
    seen, before_s = 0, -1.0
    with open_fake(sending(fps=100)) as source:
        time.sleep(0.2)  # networks are made ready
        for index, frame in enumerate(source):
            assert time.perf_counter() - frame.captured_s < 0.2 + 0.1 * (index > 0)
            assert frame.index == index and before_s < frame.time_s
            assert frame.time_s == 0.0 or index  # whatever came before
            seen += 1 + frame.dropped
            assert seen == int(frame.image_bgr[0, 0, 0]) + 1
            before_s = frame.time_s
            time.sleep(0.06)
            if index == 8:
                break
    assert seen > 50
    assert frame.unix_s == pytest.approx(time.time(), abs=1.0)


@pytest.mark.parametrize("stalls", [False, True], ids=["ends", "stalls inside the driver"])
def test_a_device_that_ends_or_stalls_is_opened_again_and_both_are_said(said, stalls, hang):
    first = sending(frames=5, hang=hang if stalls else None)
    with open_fake(first, BUSY, BUSY, sending(size_wh=(64, 48))) as source:
        assert source.size_wh == (32, 24)
        next(frame for frame in source if frame.size_wh == (64, 48))
        assert source.size_wh == (64, 48) and source.reconnects == 1
    reason = "no frame for 0." if stalls else "the device stopped"
    assert f"camera 7 sends no frames ({reason}" in said[0]
    assert said[1].startswith("camera 7 is back after 0.")
    assert said[2] == "camera 7 now sends frames of 64x48, before 32x24"


@pytest.mark.parametrize("hangs", [False, True], ids=["closed", "hanging"])
def test_a_camera_that_dies_for_good_ends_with_one_sentence(hangs, hang):
    held = hang if hangs else None
    then = sending(frames=0, hang=hang) if hangs else BUSY
    said = r"camera 7 stopped sending frames after 12 frames \(0\.\d s\); is it un"
    with (
        open_fake(sending(frames=12, hang=held), then) as source,
        pytest.raises(SourceError, match=said),
    ):
        list(source)


@pytest.mark.parametrize(
    ("opens", "settings", "sentence"),
    [
        (False, QUICK, "camera 7 is busy"),
        (False, replace(QUICK, wait_at_start=True), r"sent no frame within 0.6 s"),
        (True, QUICK, "camera 7 sent no frame within 0.5 s"),
    ],
    ids=["at once", "after the patience asked for", "opens but sends nothing"],
)
@pytest.mark.parametrize("deferred", [False, True])
def test_a_camera_that_does_not_open_is_an_error(opens, settings, sentence, deferred, hang):
    capture = sending(frames=0, hang=hang) if opens else BUSY
    with pytest.raises(SourceError, match=sentence):
        open_fake(capture, settings=replace(settings, deferred=deferred)).wait_for_first()


@pytest.mark.parametrize("patience", [AWAY, FOREVER], ids=["30 s", "forever"])
def test_a_camera_that_is_away_at_the_start_is_waited_for(said, patience):
    with open_fake(*[BUSY] * 8, sending(size_wh=(64, 48)), settings=patience) as source:
        assert source.size_wh == (64, 48)
        assert next(iter(source)).time_s == 0.0
    until = "for 30 s" if patience is AWAY else "until it is back"
    assert said[0] == f"camera 7 sends no frames (camera 7 is busy); reconnecting {until}"
    assert said[1].startswith("camera 7 is here after ")


def test_an_open_that_is_deferred_returns_at_once_and_can_be_given_up():
    source = open_fake(BUSY, settings=replace(FOREVER, deferred=True))
    assert source.wait_for_first(0.1) is False and source.size_wh == (0, 0)
    threading.Timer(0.2, source.close).start()
    assert source.wait_for_first() is False
    assert list(source) == []


def test_a_driver_that_hangs_for_hours_leaves_few_threads_behind(hang):
    before = threading.active_count()
    patience = replace(AWAY, open_timeout_s=0.02, stall_after_s=0.02, deferred=True)
    patience = replace(patience, first_pause_s=0.01, longest_pause_s=0.01)
    hanging = [sending(frames=0, hang=hang) for _ in range(60)]
    with open_fake(*hanging, settings=patience) as source:
        assert source.wait_for_first(1.2) is False
        assert threading.active_count() - before <= 10


# -- cameras in the network --------------------------------------------------------------------

PATIENCE = LiveSettings(open_timeout_s=5, stall_after_s=0.7, reconnect_s=4, first_pause_s=0.1)


@pytest.mark.parametrize("kind", [MjpegCamera, RtspCamera])
def test_a_network_camera_that_is_cut_and_brought_back_goes_on_in_its_new_size(said, kind):
    with kind((320, 240)) as camera, open_camera(camera.url, settings=PATIENCE) as source:
        frames = iter(source)
        before = list(islice(frames, 10))
        assert source.size_wh == (320, 240) and source.kind == "url" and source.live
        camera.cut()
        time.sleep(0.3)
        camera.size_wh = (640, 480)
        camera.start()
        after = next(frame for frame in frames if frame.size_wh == (640, 480))
    times_s = [frame.time_s for frame in (*before, after)]
    assert times_s == sorted(times_s) and after.time_s - before[-1].time_s > 0.3
    assert abs(int(before[0].image_bgr[100, 100].mean()) - 60) < 6
    for words in ("delivers", "sends no frames", "is back", "640x480, before 320x240"):
        assert any(words in sentence for sentence in said)


def test_an_address_without_a_camera_is_an_error_within_seconds():
    with pytest.raises(SourceError, match=r"does not open: Connection refused; is the address"):
        open_source(f"rtsp://127.0.0.1:{free_port()}/live")
    with MjpegCamera() as camera, pytest.raises(SourceError, match=r"404"):
        open_source(camera.url + "/other")


def test_a_camera_with_a_key_frame_every_eight_seconds_opens_with_its_first_one():
    with RtspCamera() as camera:
        camera.key_frame_every = 8 * 25
        start_s = time.perf_counter()
        with open_camera(camera.url, settings=PATIENCE) as source:
            assert len(list(islice(source, 3))) == 3 and time.perf_counter() - start_s < 4


# -- cameras at this machine -------------------------------------------------------------------


@pytest.fixture
def driver(monkeypatch) -> Mock:
    """Stands for cv2.VideoCapture: a camera that knows 640x480 only, and grey images."""
    known = {cv2.CAP_PROP_FRAME_WIDTH: 640, cv2.CAP_PROP_FRAME_HEIGHT: 480, cv2.CAP_PROP_FPS: 30}
    driver = Mock(name="camera")
    driver.get.side_effect = lambda what: known.get(what, cv2.VideoWriter.fourcc(*"YUYV"))
    driver.grab.side_effect = lambda: time.sleep(0.005) or True
    driver.retrieve.return_value = True, np.zeros((480, 640), np.uint8)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: driver)
    return driver


def test_mjpg_is_asked_for_first_then_size_then_rate_and_gray_becomes_three_channels(driver, said):
    with open_camera(0, camera_size=(1280, 720), camera_fps=60) as source:
        assert next(iter(source)).image_bgr.shape == (480, 640, 3)
    assert [one.args for one in driver.set.call_args_list][:4] == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FPS, 60),
    ]
    asked = "asked for 1280x720 at 60 fps as MJPG"
    assert said == [f"camera 0: {asked}, delivers 640x480 at 30 fps as YUYV"]
    driver.release.assert_called_once()


@pytest.mark.parametrize("spec", [63, "63", "/dev/video63"])
def test_a_camera_that_does_not_exist_is_an_error(spec, capfd):
    with pytest.raises(SourceError, match=r"(camera |video)63 does not open; is it plugged in"):
        open_source(spec)
    assert capfd.readouterr() == ("", "")


def test_cameras_are_listed_without_their_metadata_nodes_and_found_by_name(tmp_path, monkeypatch):
    nodes = ("video0", "C920", "0"), ("video1", "C920", "1"), ("video10", "Laptop camera", "0")
    for node, name, index in nodes:
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(name + "\n")
        (tmp_path / node / "index").write_text(index + "\n")
    there = list_cameras(tmp_path)
    assert there == [Camera(0, "/dev/video0", "C920"), Camera(10, "/dev/video10", "Laptop camera")]
    monkeypatch.setattr(camera, "list_cameras", lambda: there)
    with pytest.raises(SourceError, match="video10 does not open"):
        open_camera("laptop")
    with pytest.raises(SourceError, match="no camera is called Logitech"):
        open_camera("Logitech")


@pytest.mark.usefixtures("driver")
def test_the_command_lists_what_there_is(monkeypatch, capsys, said):
    monkeypatch.setattr(camera, "list_cameras", lambda: [Camera(0, "/dev/video0", "C920")])
    monkeypatch.setattr(camera, "measured_fps", lambda _: 29.97)
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out == (
        "0  C920  (/dev/video0)\n     640x480 at 30 fps as YUYV\n     measured: 30.0 fps\n"
    )
    monkeypatch.setattr(camera, "list_cameras", list)
    assert main(["cameras"]) == 3 and said[0].startswith("no camera was found; plug one in")
