"""A virtual camera: the drawn picture as a webcam that other programs can choose."""

import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from livepose.errors import DeviceError, SinkError
from livepose.frame import Frame, ImageBgr
from livepose.sinks.protocol import Closing
from livepose.sinks.video import even, fit

if TYPE_CHECKING:
    from livepose.poses import Poses

_HOW = {
    "linux": (
        "sudo modprobe v4l2loopback exclusive_caps=1 card_label=livepose "
        "(of the package v4l2loopback-dkms) makes one"
    ),
    "darwin": "install OBS Studio, and start its virtual camera once",
    "win32": "install OBS Studio, which brings one",
}


class VirtualCameraSink(Closing):
    """Shows the drawn pictures in a virtual camera, the newest one whenever that is ready.

    The first picture says the size; later ones of other sizes are fitted into it.

    Parameters
    ----------
    name : str
        A device such as /dev/video4; empty takes the first one.
    fps : float
        What the camera tells the programs that open it.

    Raises
    ------
    DeviceError
        When pyvirtualcam or the device is missing; with the command that helps.
    """

    needs_drawing = True
    live = True

    def __init__(self, name: str = "", fps: float | None = None) -> None:
        self._library = _library()
        self._name, self._fps = name, fps or 30.0
        self._newest: ImageBgr | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._failure: Exception | None = None
        check_virtual_camera(name)
        self._thread = threading.Thread(target=self._run, name="virtual camera", daemon=True)
        self._thread.start()

    def write(self, frame: Frame, poses: "Poses", drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one picture."""
        with self._changed:
            self._newest = frame.image_bgr if drawn_bgr is None else drawn_bgr
            self._changed.notify()
        if self._failure is not None:
            raise SinkError(f"the virtual camera stopped: {self._failure}") from self._failure

    def close(self) -> None:
        """Lets go of the device; a second call does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        camera = None
        try:
            while (image_bgr := self._next()) is not None:
                if camera is None:
                    size_wh = even((image_bgr.shape[1], image_bgr.shape[0]))
                    camera = _open(self._library, self._name, size_wh, self._fps)
                camera.send(np.ascontiguousarray(fit(image_bgr, (camera.width, camera.height))))
        except Exception as error:  # told by the next write
            self._failure = error
        finally:
            if camera is not None:
                camera.close()

    def _next(self) -> ImageBgr | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._newest is not None)
            image_bgr, self._newest = self._newest, None
            return None if self._closed else image_bgr


def _library() -> Any:
    try:
        import pyvirtualcam
    except ImportError as error:
        raise DeviceError(
            "--virtual-camera needs pyvirtualcam: pip install 'livepose[virtualcam]'"
        ) from error
    return pyvirtualcam


def _open(library: Any, name: str, size_wh: tuple[int, int], fps: float) -> Any:
    return library.Camera(
        *size_wh, fps, fmt=library.PixelFormat.BGR, device=name or None, print_fps=False
    )


def check_virtual_camera(name: str) -> None:
    """Opens it once, so that a missing device is said before anything is loaded.

    Raises
    ------
    DeviceError
        When pyvirtualcam or the device is missing; with the command that helps.
    """
    library = _library()
    try:
        _open(library, name, (640, 480), 30.0).close()
    except Exception as error:
        wanted = f"the virtual camera {name}" if name else "a virtual camera"
        how = _HOW.get(sys.platform, "pyvirtualcam's page says what your system needs")
        raise DeviceError(f"{wanted} cannot be opened ({error}); {how}") from error
