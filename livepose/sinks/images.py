"""Drawn images as files: each under its name, or all of a clip at a glance on one sheet."""

from pathlib import Path

import cv2
import numpy as np

from livepose.drawing import contact_sheet, time_label
from livepose.errors import SinkError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.files import FrameNames, as_utf8, write_output
from livepose.sinks.sink import IMAGE_SUFFIXES, Sink, check_file, check_folder, check_image_name

_JPEG_QUALITY = 95
_SHEET_IMAGES, _SHEET_COLUMNS = 12, 4
_SHEET_WIDTH_PX, _KEPT_WIDTH_PX = 1280, 640


class ImageSink(Sink):
    """Writes each drawn image under the name of its source image.

    ``path`` is an image file (for one frame only), or a folder, which is made if it is missing;
    frames without a name are called by ``stem`` and number there.
    """

    needs_drawing = True

    def __init__(
        self, path: str | Path, stem: str = "livepose", *, overwrite: bool = False
    ) -> None:
        self._path, self._names = Path(path), FrameNames(stem)
        self._single = self._path.suffix.lower() in IMAGE_SUFFIXES and not self._path.is_dir()
        self._written = False
        (check_file if self._single else check_folder)(self._path, overwrite=overwrite)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Writes one image."""
        path = self._path
        if not self._single:
            suffix = Path(frame.name or "").suffix
            suffix = suffix if suffix.lower() in IMAGE_SUFFIXES else ".jpg"
            path = self._path / f"{self._names(frame)}{suffix}"
        elif self._written:
            raise UsageError(f"{path} is one file for many images; name a folder instead")
        if frame.name is not None and path.resolve() == Path(frame.name).resolve():
            raise SinkError(f"{path} is the image itself; write to another folder or name")
        save_image(path, frame.image_bgr if drawn_bgr is None else drawn_bgr)
        self._written = True


class SheetSink(Sink):
    """Keeps frames spread evenly over the clip, and writes them as one image when it closes.

    Nothing has to be known of its length: the step at which frames are kept doubles whenever
    twice as many as wanted have come together.
    """

    needs_drawing = True

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self._path = Path(path)
        check_image_name(self._path)
        check_file(self._path, overwrite=overwrite)
        self._step, self._seen = 1, 0
        self._kept: list[tuple[ImageBgr, str]] = []

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Keeps the drawn frame if its turn has come."""
        self._seen += 1
        if (self._seen - 1) % self._step or drawn_bgr is None:
            return
        label = as_utf8(Path(frame.name).name).decode() if frame.name else time_label(frame.time_s)
        self._kept.append((_shrunk(drawn_bgr), label))
        if len(self._kept) >= 2 * _SHEET_IMAGES:
            self._kept, self._step = self._kept[::2], self._step * 2

    def close(self) -> None:
        """Writes the sheet; a second call does nothing."""
        kept, self._kept = self._kept, []
        if kept:
            count = min(_SHEET_IMAGES, len(kept))
            chosen = [kept[round(i * (len(kept) - 1) / max(count - 1, 1))] for i in range(count)]
            images, labels = map(list, zip(*chosen, strict=True))
            columns = min(_SHEET_COLUMNS, count)
            save_image(self._path, contact_sheet(images, columns, _SHEET_WIDTH_PX, labels))


def _shrunk(image_bgr: ImageBgr) -> ImageBgr:
    """A copy no wider than a cell of the sheet needs, so that long clips stay small in memory."""
    height, width = image_bgr.shape[:2]
    share = min(_KEPT_WIDTH_PX / width, 1.0)
    size_wh = round(width * share), max(1, round(height * share))
    return np.array(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA))


def save_image(path: Path, image_bgr: ImageBgr) -> None:
    """Writes an image whole; SinkError where that fails."""
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    settings = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY] if is_jpeg else []
    good, data = cv2.imencode(path.suffix, np.ascontiguousarray(image_bgr), settings)
    if not good:  # WebP has 16383 px at most
        raise SinkError(f"cannot write {path}: its format does not take such an image")
    write_output(path, data.tobytes())
