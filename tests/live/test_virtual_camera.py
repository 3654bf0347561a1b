"""The virtual camera, with a stand-in for the driver."""

import sys
from enum import Enum
from types import SimpleNamespace

import pytest
from live.requests_ import wait_for
from sinks.people import frame, poses

from livepose.errors import DeviceError
from livepose.live.virtual_camera import VirtualCameraSink


@pytest.fixture
def cameras(monkeypatch):
    """Cameras that were made, with what they were sent."""
    made = []

    class FakeCamera:
        def __init__(self, width, height, fps, *, fmt, device, print_fps):
            if device == "/dev/video99":
                raise RuntimeError("no such device")
            self.size_wh = self.width, self.height = width, height
            self.said = (fps, fmt.name, device)
            self.sent, self.closed = [], False
            made.append(self)

        def send(self, image):
            self.sent.append(image.copy())

        def close(self):
            self.closed = True

    module = SimpleNamespace(Camera=FakeCamera, PixelFormat=Enum("PixelFormat", ["RGB", "BGR"]))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    return made


def write(sink, value, size_wh=(64, 48)) -> None:
    sink.write(
        frame(0, size_wh=size_wh), poses(1), frame(0, size_wh=size_wh, value=value).image_bgr
    )


def test_the_drawn_images_arrive_fitted_to_the_first(cameras):
    with VirtualCameraSink("/dev/video4", fps=25.0) as sink:
        write(sink, 77, (63, 47))
        wait_for(lambda: len(cameras) == 2 and cameras[1].sent)
        write(sink, 90, (200, 20))
        wait_for(lambda: len(cameras[1].sent) == 2)
    tried, camera = cameras
    assert camera.size_wh == (64, 48) and camera.said == (25.0, "BGR", "/dev/video4")
    assert camera.closed and tried.closed
    assert (camera.sent[0] == 77).all() and camera.sent[1].max() == 90


def test_what_is_missing_is_said_with_the_command_that_helps(cameras, monkeypatch):
    with pytest.raises(DeviceError, match=r"/dev/video99 cannot be opened.*no such device") as said:
        VirtualCameraSink("/dev/video99")
    assert sys.platform != "linux" or "sudo modprobe v4l2loopback" in str(said.value)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(DeviceError, match=r"pip install 'livepose\[virtualcam\]'"):
        VirtualCameraSink()
