"""A virtual camera: the drawn image as a webcam that other programs can choose."""

import threading
from contextlib import closing
from typing import Any

from livepose.errors import DeviceError, SinkError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.sink import Sink
from livepose.sinks.video import even, fit
from livepose.threads import Latest

_HOW = (
    "on Linux 'sudo modprobe v4l2loopback exclusive_caps=1 card_label=livepose' (of the package "
    "v4l2loopback-dkms) makes one; on Windows and macOS OBS Studio brings one"
)


class VirtualCameraSink(Sink):
    """Shows the drawn images in a virtual camera, the newest one whenever that is ready.

    ``name`` is a device such as /dev/video4; empty takes the first one. The first image says
    the size; later ones of other sizes are fitted into it.
    """

    needs_drawing = live = True

    def __init__(self, name: str = "", fps: float | None = None) -> None:
        self._name, self._fps = name, fps or 30.0
        self._latest: Latest[ImageBgr] = Latest()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="virtual camera", daemon=True)
        self._thread.start()

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one image."""
        self._latest.put(frame.image_bgr if drawn_bgr is None else drawn_bgr)
        if self._failure is not None:
            raise SinkError(f"the virtual camera stopped: {self._failure}") from self._failure

    def close(self) -> None:
        """Lets go of the device; a second call does nothing."""
        self._latest.close()
        self._thread.join(timeout=5.0)

    def _run(self) -> None:
        try:
            if (taken := self._latest.take()) is None:
                return
            height, width = taken[0].shape[:2]
            with closing(_open(self._name, even((width, height)), self._fps)) as camera:
                while taken is not None:
                    camera.send(fit(taken[0], (camera.width, camera.height)))
                    taken = self._latest.take()
        except Exception as error:  # told by the next write
            self._failure = error


def _open(name: str, size_wh: tuple[int, int], fps: float) -> Any:
    import pyvirtualcam

    bgr = pyvirtualcam.PixelFormat.BGR
    return pyvirtualcam.Camera(*size_wh, fps, fmt=bgr, device=name or None, print_fps=False)


def check_virtual_camera(name: str) -> None:
    """Opens it once, before anything is loaded; DeviceError says which command helps."""
    try:
        _open(name, (640, 480), 30.0).close()
    except ImportError as error:
        raise DeviceError(
            "--virtual-camera needs pyvirtualcam: pip install 'livepose[virtualcam]'"
        ) from error
    except Exception as error:
        wanted = f"the virtual camera {name}" if name else "a virtual camera"
        raise DeviceError(f"{wanted} cannot be opened ({error}); {_HOW}") from error
