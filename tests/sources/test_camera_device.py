import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.cli import main
from livepose.errors import SourceError
from livepose.sources import LiveSettings, LiveSource, open_camera, open_source
from livepose.sources import camera as camera_module
from livepose.sources.camera import (
    Camera,
    CameraCapture,
    find_by_name,
    list_cameras,
    measured_fps,
    modes,
)
from livepose.sources.live import CaptureLost


class FakeDriver:
    """Stands for cv2.VideoCapture: a camera that knows 640x480 only."""

    def __init__(self, device, backend):
        self.device, self.backend, self.asked, self.released = device, backend, [], False

    def isOpened(self):  # noqa: N802
        return self.device != 9

    def set(self, what, value):
        self.asked.append((what, value))

    def get(self, what):
        known = {
            cv2.CAP_PROP_FRAME_WIDTH: 640,
            cv2.CAP_PROP_FRAME_HEIGHT: 480,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"YUYV"),
        }
        return known[what]

    def grab(self):
        return True

    def retrieve(self):
        return True, np.zeros((480, 640), np.uint8)

    def release(self):
        self.released = True


def drawn_avi(path: Path, frames: int = 6) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture
def fake_driver(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", FakeDriver)


@pytest.mark.usefixtures("fake_driver")
def test_mjpg_is_asked_for_first_then_size_then_rate():
    capture = CameraCapture(0, size_wh=(1280, 720), fps=30)
    assert [what for what, _ in capture._capture.asked][:4] == [
        cv2.CAP_PROP_FOURCC,
        cv2.CAP_PROP_FRAME_WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT,
        cv2.CAP_PROP_FPS,
    ]
    assert capture._capture.asked[0][1] == cv2.VideoWriter.fourcc(*"MJPG")


@pytest.mark.usefixtures("fake_driver")
def test_what_was_asked_and_what_is_delivered_are_both_said(said):
    opener = lambda: CameraCapture(0, size_wh=(1280, 720), fps=60)  # noqa: E731
    with LiveSource(opener, name="camera 0", kind="camera"):
        time.sleep(0.05)
    expected = "asked for 1280x720 at 60 fps as MJPG, delivers 640x480 at 30 fps as YUYV"
    assert said == [f"camera 0: {expected}"]


@pytest.mark.usefixtures("fake_driver")
def test_gray_frames_become_three_channels():
    image_bgr, captured_s = CameraCapture(0).read()
    assert image_bgr.shape == (480, 640, 3)
    assert 0 <= time.perf_counter() - captured_s < 1


@pytest.mark.usefixtures("fake_driver")
def test_a_camera_that_is_in_use_says_what_to_do():
    with pytest.raises(SourceError, match=r"camera 9 does not open; is it plugged in, and not"):
        CameraCapture(9)


def test_opencv_itself_delivers_and_its_end_is_noticed(tmp_path, monkeypatch):
    path = drawn_avi(tmp_path / "as_camera.avi")
    monkeypatch.setattr(camera_module, "_BACKENDS", {sys.platform: cv2.CAP_FFMPEG})
    capture = CameraCapture(str(path))
    shapes = [capture.read()[0].shape for _ in range(6)]
    assert shapes == [(48, 64, 3)] * 6
    with pytest.raises(CaptureLost, match="the device stopped"):
        capture.read()
    capture.close()


@pytest.mark.parametrize("spec", [63, "63", "/dev/video63"])
def test_a_camera_that_does_not_exist_is_an_error_within_seconds(spec, capfd):
    start_s = time.perf_counter()
    with pytest.raises(SourceError, match=r"(camera |video)63 does not open; is it plugged in"):
        open_source(spec)
    assert time.perf_counter() - start_s < 4
    assert capfd.readouterr() == ("", "")


def test_a_name_that_no_camera_has_is_an_error():
    with pytest.raises(SourceError, match="no camera is called Logitech"):
        open_camera("Logitech")


def test_a_camera_is_found_by_a_part_of_its_name(monkeypatch):
    monkeypatch.setattr(camera_module, "find_by_name", lambda name: "/dev/video5")
    made = []
    monkeypatch.setattr(
        camera_module, "CameraCapture", lambda device, **_: made.append(device) or Endless()
    )
    with open_camera("c920", settings=LiveSettings()) as source:
        assert source.name == "/dev/video5"
    assert made == ["/dev/video5"]


class Endless:
    mode = ""
    scale_xy = (1.0, 1.0)

    def read(self):
        time.sleep(0.01)
        return np.zeros((8, 8, 3), np.uint8), time.perf_counter()

    def close(self):
        pass


def kernel_list(folder: Path) -> Path:
    for node, name, index in (("video0", "HD Pro C920", "0"), ("video1", "HD Pro C920", "1"),
                              ("video10", "Laptop camera", "0")):  # fmt: skip
        (folder / node).mkdir()
        (folder / node / "name").write_text(name + "\n")
        (folder / node / "index").write_text(index + "\n")
    return folder


def test_cameras_are_listed_from_the_kernel_without_their_metadata_nodes(tmp_path):
    cameras_found = list_cameras(kernel_list(tmp_path))
    assert cameras_found == [
        Camera(0, "/dev/video0", "HD Pro C920"),
        Camera(10, "/dev/video10", "Laptop camera"),
    ]
    assert find_by_name("laptop", tmp_path) == "/dev/video10"
    assert find_by_name("nothing", tmp_path) is None


def test_a_camera_that_is_not_there_has_no_rate_and_no_modes():
    missing = Camera(63, "/dev/video63", "missing")
    assert measured_fps(missing) is None
    assert modes(missing) == []


def test_the_command_lists_what_there_is(monkeypatch, capsys):
    monkeypatch.setattr(camera_module, "list_cameras", lambda: [Camera(0, "/dev/video0", "C920")])
    monkeypatch.setattr(camera_module, "modes", lambda camera: ["MJPG 640x480 at 30 fps"])
    monkeypatch.setattr(camera_module, "measured_fps", lambda camera: 29.97)
    assert main(["cameras"]) == 0
    assert capsys.readouterr().out == (
        "0  C920  (/dev/video0)\n     MJPG 640x480 at 30 fps\n     measured: 30.0 fps\n"
    )


def test_the_command_without_a_camera_is_one_sentence_and_exit_code_3(monkeypatch, said):
    monkeypatch.setattr(camera_module, "list_cameras", list)
    assert main(["cameras"]) == 3
    assert said[0].startswith("no camera was found; plug one in")
