"""The virtual camera, with a stand-in for the driver."""

import sys
from unittest.mock import Mock

import pytest
from live.requests_ import wait_for
from sinks.people import frame, poses

from livepose.errors import DeviceError
from livepose.live.virtual_camera import VirtualCameraSink, check_virtual_camera


@pytest.fixture
def driver(monkeypatch) -> Mock:
    """Stands for pyvirtualcam; its camera is of 64x48 pixels."""
    driver = Mock()
    driver.Camera.return_value.configure_mock(width=64, height=48)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", driver)
    return driver


def test_the_drawn_images_arrive_fitted_to_the_first(driver):
    camera = driver.Camera.return_value
    with VirtualCameraSink("/dev/video4", fps=25.0) as sink:
        for count, (value, size_wh) in enumerate([(77, (63, 47)), (90, (200, 20))], 1):
            drawn = frame(0, size_wh=size_wh, value=value)
            sink.write(frame(0, size_wh=size_wh), poses(1), drawn.image_bgr)
            wait_for(lambda count=count: camera.send.call_count == count)
    asked = driver.Camera.call_args
    assert asked.args == (64, 48, 25.0) and asked.kwargs["device"] == "/dev/video4"
    first, second = (one.args[0] for one in camera.send.call_args_list)
    assert first.shape == second.shape == (48, 64, 3)
    assert (first == 77).all() and second.max() == 90
    assert camera.close.called


def test_what_is_missing_is_said_with_the_command_that_helps(driver, monkeypatch):
    driver.Camera.side_effect = RuntimeError("no such device")
    with pytest.raises(DeviceError, match=r"/dev/video99 cannot be opened.*no such device") as said:
        check_virtual_camera("/dev/video99")
    assert "sudo modprobe v4l2loopback" in str(said.value)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(DeviceError, match=r"pip install 'livepose\[virtualcam\]'"):
        check_virtual_camera("")
