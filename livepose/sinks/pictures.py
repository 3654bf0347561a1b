"""Drawn pictures as files: one for a single picture, or a folder of them."""

from pathlib import Path

import cv2
import numpy as np

from livepose.errors import SinkError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks._names import FrameNames, safe_stem
from livepose.sinks.claims import PICTURE_SUFFIXES, check_file, check_writable
from livepose.sinks.protocol import Closing, make_folder, sink_error

_JPEG_QUALITY = 95


class ImageSink(Closing):
    """Writes each drawn picture under the name of its source picture.

    Parameters
    ----------
    path : str or Path
        A picture file (for one frame only), or a folder, which is made if it is missing.
    stem : str
        What file names start with where frames have no name.
    """

    needs_drawing = True

    def __init__(
        self, path: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        self._path = Path(path)
        self._single = self._path.suffix.lower() in PICTURE_SUFFIXES and not self._path.is_dir()
        self._names = FrameNames(safe_stem(stem))
        self._count = 0
        if self._single:
            check_file(self._path, overwrite=overwrite)
        else:
            make_folder(self._path)
            check_writable(self._path, overwrite=overwrite)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes one picture."""
        path = self._path_for(frame)
        if frame.name is not None and path.resolve() == Path(frame.name).resolve():
            raise SinkError(f"{path} is the picture itself; write to another folder or name")
        image_bgr = frame.image_bgr if drawn_bgr is None else drawn_bgr
        save_picture(path, image_bgr)
        self._count += 1

    def _path_for(self, frame: Frame) -> Path:
        if not self._single:
            suffix = Path(frame.name).suffix if frame.name else ".jpg"
            suffix = suffix if suffix.lower() in PICTURE_SUFFIXES else ".jpg"
            return self._path / f"{self._names(frame)}{suffix}"
        if self._count:
            raise UsageError(f"{self._path} is one file for many pictures; name a folder instead")
        return self._path


def save_picture(path: Path, image_bgr: ImageBgr) -> None:
    """Writes a picture in the kind that its name says."""
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if is_jpeg else []
    good, data = cv2.imencode(path.suffix, np.ascontiguousarray(image_bgr), settings)
    if not good:
        raise SinkError(f"cannot write {path}: {path.suffix} pictures cannot be made here")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise sink_error(path, error) from error
