"""A contact sheet of the drawn frames: one picture that shows a whole clip at a glance."""

from pathlib import Path

import cv2

from livepose.drawing import contact_sheet, time_label
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.claims import check_file, check_picture_name
from livepose.sinks.pictures import save_picture
from livepose.sinks.protocol import Closing

PICTURES = 12
COLUMNS = 4
WIDTH_PX = 1280
KEPT_WIDTH_PX = 640


class SheetSink(Closing):
    """Keeps frames spread evenly over the clip, and writes them as one picture when it closes.

    However long the clip turns out to be: frames are kept at a step that doubles whenever twice
    as many as wanted have come together, so nothing has to be known of its length.
    """

    needs_drawing = True

    def __init__(
        self, path: str | Path, pictures: int = PICTURES, *, overwrite: bool = False
    ) -> None:
        self._path = Path(path)
        check_picture_name(self._path)
        check_file(self._path, overwrite=overwrite)
        self._pictures = pictures
        self._step = 1
        self._seen = 0
        self._kept: list[tuple[ImageBgr, str]] = []
        self._closed = False

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None) -> None:
        """Keeps the drawn frame if its turn has come."""
        due = self._seen % self._step == 0
        self._seen += 1
        if not due or drawn_bgr is None:
            return
        label = Path(frame.name).name if frame.name else time_label(frame.time_s)
        self._kept.append((shrunk(drawn_bgr), label))
        if len(self._kept) >= 2 * self._pictures:
            self._kept = self._kept[::2]
            self._step *= 2

    def close(self) -> None:
        """Writes the sheet; a second call does nothing."""
        if self._closed or not self._kept:
            return
        self._closed = True
        last = len(self._kept) - 1
        count = min(self._pictures, len(self._kept))
        chosen = [self._kept[round(i * last / max(count - 1, 1))] for i in range(count)]
        images, labels = [image for image, _ in chosen], [label for _, label in chosen]
        sheet = contact_sheet(images, min(COLUMNS, count), WIDTH_PX, labels)
        save_picture(self._path, sheet)


def shrunk(image_bgr: ImageBgr) -> ImageBgr:
    """A copy no wider than a cell of the sheet needs, so that long clips stay small in memory."""
    height, width = image_bgr.shape[:2]
    if width <= KEPT_WIDTH_PX:
        return image_bgr.copy()
    size_wh = (KEPT_WIDTH_PX, max(1, round(height * KEPT_WIDTH_PX / width)))
    small: ImageBgr = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA)
    return small
