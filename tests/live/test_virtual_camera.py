"""The virtual camera, with a stand-in for the driver."""

import sys
import time
from enum import Enum
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from live.requests_ import wait_for
from sinks.people import frame, poses

from livepose.errors import DeviceError, SinkError
from livepose.live.virtual_camera import VirtualCameraSink


class FakeCamera:
    made: ClassVar[list["FakeCamera"]] = []
    fail_after: int | None = None

    def __init__(self, width, height, fps, *, fmt, device, print_fps):
        if device == "/dev/video99":
            raise RuntimeError("no such device")
        self.width, self.height, self.fps, self.format, self.device = (
            width,
            height,
            fps,
            fmt,
            device,
        )
        self.sent: list[np.ndarray] = []
        self.closed = False
        FakeCamera.made.append(self)

    def send(self, image):
        assert image.shape == (self.height, self.width, 3)
        if FakeCamera.fail_after is not None and len(self.sent) >= FakeCamera.fail_after:
            raise RuntimeError("device gone")
        self.sent.append(image.copy())

    def close(self):
        self.closed = True


@pytest.fixture
def driver(monkeypatch):
    monkeypatch.setattr(FakeCamera, "made", [])
    module = SimpleNamespace(Camera=FakeCamera, PixelFormat=Enum("PixelFormat", ["RGB", "BGR"]))
    monkeypatch.setitem(sys.modules, "pyvirtualcam", module)
    return FakeCamera


def test_the_drawn_pictures_arrive_fitted_to_the_first(driver):
    with VirtualCameraSink("/dev/video4", fps=25.0) as sink:
        sink.write(
            frame(0, size_wh=(63, 47)), poses(1), frame(0, size_wh=(63, 47), value=77).image_bgr
        )
        wait_for(lambda: len(driver.made) == 2 and driver.made[1].sent)
        sink.write(frame(1), poses(1), frame(1, size_wh=(200, 20), value=90).image_bgr)
        wait_for(lambda: len(driver.made[1].sent) == 2)
    camera = driver.made[1]
    assert (camera.width, camera.height, camera.fps, camera.device) == (64, 48, 25.0, "/dev/video4")
    assert camera.format.name == "BGR" and camera.closed and driver.made[0].closed
    assert (camera.sent[0] == 77).all() and camera.sent[1].max() == 90


def test_a_slow_device_gets_the_newest_picture_and_holds_up_nobody(driver, monkeypatch):
    sending = driver.send
    monkeypatch.setattr(driver, "send", lambda self, image: (time.sleep(0.1), sending(self, image)))
    with VirtualCameraSink() as sink:
        start_s = time.perf_counter()
        for value in range(100):
            sink.write(frame(value), poses(1), frame(0, value=value).image_bgr)
        assert time.perf_counter() - start_s < 0.5
        wait_for(
            lambda: (
                len(driver.made) == 2
                and driver.made[1].sent
                and driver.made[1].sent[-1].max() == 99
            )
        )
        assert len(driver.made[1].sent) < 10


def test_a_missing_device_says_which_command_makes_one(driver):
    with pytest.raises(DeviceError, match=r"/dev/video99 cannot be opened.*no such device"):
        VirtualCameraSink("/dev/video99")
    if sys.platform == "linux":
        with pytest.raises(DeviceError, match="sudo modprobe v4l2loopback"):
            VirtualCameraSink("/dev/video99")


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(DeviceError, match=r"pip install 'livepose\[virtualcam\]'"):
        VirtualCameraSink()


def test_a_device_that_fails_later_is_one_sentence(driver, monkeypatch):
    monkeypatch.setattr(driver, "fail_after", 0)
    with VirtualCameraSink() as sink, pytest.raises(SinkError, match="device gone"):
        for _ in range(100):
            sink.write(frame(0), poses(1), frame(0).image_bgr)
            time.sleep(0.02)
