"""Moving scenes made from the two photographs that ultralytics ships.

They let livepose be shown and measured on a machine without a camera or a video. Two kinds: a
camera that travels over the photographs, for looking; and any number of people who walk before
a quiet background, whose boxes are known, for measuring.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import count, product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.errors import SourceError
from livepose.frame import Frame, ImageBgr
from livepose.runtimes.verify import SHEET
from livepose.sources.source import Source

FPS = 30.0
# Two people of bus.jpg who are seen from head to foot: left, top, right, bottom in its pixels.
WALKERS_XYXY = ((50, 398, 246, 904), (222, 405, 345, 860))
FACADE_XYXY = (0, 0, 810, 380)
# Camera paths as (photograph, first view, last view); a view is its centre and width, in parts
# of the photograph's width and height.
SHOTS = (
    ("bus.jpg", (0.45, 0.58, 1.0), (0.32, 0.60, 0.85)),
    ("bus.jpg", (0.32, 0.60, 0.85), (0.60, 0.60, 0.85)),
    ("zidane.jpg", (0.42, 0.50, 0.75), (0.58, 0.50, 0.72)),
)
# The same over livepose's own four people, where ultralytics is not installed.
OWN_SHOTS = ((SHEET.name, (0.22, 0.5, 0.42), (0.78, 0.5, 0.42)),)


class CameraPath(Source):
    """A camera that travels over the photographs; a ``Source`` like any other."""

    name = "demo scene"
    fps = FPS

    def __init__(
        self, seconds_per_shot: float = 3.0, size_wh: tuple[int, int] = (640, 480)
    ) -> None:
        self.size_wh = size_wh
        self._shots = SHOTS if find_spec("ultralytics") else OWN_SHOTS
        seconds_per_shot *= len(SHOTS) / len(self._shots)
        self._per_shot = max(2, round(seconds_per_shot * FPS))
        self.frame_count = len(self._shots) * self._per_shot

    def __iter__(self) -> Iterator[Frame]:
        steps = product(self._shots, range(self._per_shot))
        for index, ((photograph, first, last), step) in enumerate(steps):
            part = step / (self._per_shot - 1)
            weight = part * part * (3 - 2 * part)  # starting and stopping gently
            view = np.array(first) + (np.array(last) - first) * weight
            image_bgr = see(load_photograph(photograph), view, self.size_wh)
            yield Frame(image_bgr, index / FPS, index)


def see(photograph_bgr: ImageBgr, view: NDArray[np.float64], size_wh: tuple[int, int]) -> ImageBgr:
    """The part of a photograph that a view shows, as an image of ``size_wh``."""
    height, width = photograph_bgr.shape[:2]
    x, y, part = (float(value) for value in view)
    scale = size_wh[0] / (part * width)
    centre = np.array([x * width, y * height])
    # The view never leaves the photograph where it can be helped.
    half = np.array(size_wh) / scale / 2
    limit = np.maximum(np.array([width, height]) - half, half)
    centre = np.clip(centre, half, limit)
    offset = np.array(size_wh) / 2 - scale * centre
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.warpAffine(
        photograph_bgr, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(seen, dtype=np.uint8)


class WalkingPeople(Source):
    """``people`` figures that walk to and fro before a facade; a ``Source`` like any other.

    ``boxes_xyxy(index)`` are their true boxes, (people, 4).
    """

    fps = FPS
    frame_count: int

    def __init__(
        self, people: int, frame_count: int, size_wh: tuple[int, int] = (640, 480)
    ) -> None:
        self.people = people
        self.frame_count = frame_count
        self.size_wh = size_wh
        self.name = f"made scene of {people} people"
        self._background_bgr = facade(size_wh)
        self._figures = [figure(index, size_wh[1], people) for index in range(people)]

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.frame_count):
            yield Frame(self.image(index), index / FPS, index)

    def image(self, index: int) -> ImageBgr:
        """The image at this frame."""
        image_bgr = self._background_bgr.copy()
        for (cut_bgr, mask), box in zip(self._figures, self.boxes_xyxy(index), strict=True):
            paste(image_bgr, cut_bgr, mask, int(box[0]), int(box[1]))
        return image_bgr

    def boxes_xyxy(self, index: int) -> Boxes:
        """Where the figures are at this frame, in whole pixels."""
        boxes = np.empty((self.people, 4))
        for person, (cut_bgr, _) in enumerate(self._figures):
            height, width = cut_bgr.shape[:2]
            centre = (person + 0.5) / self.people * self.size_wh[0]
            x = round(centre + 20 * np.sin(index / FPS * (0.8 + 0.13 * person)) - width / 2)
            y = self.size_wh[1] - height - 4 * (person % 3)
            boxes[person] = x, y, x + width, y + height
        return boxes


def endless(drawn: Sequence[Frame], fps: float = FPS) -> Iterator[Frame]:
    """Frames without end, there and back again, so that nobody ever jumps; times go on."""
    for index in count():
        image_bgr = drawn[there_and_back(index, len(drawn))].image_bgr
        yield Frame(image_bgr, index / fps, index)


def there_and_back(index: int, length: int) -> int:
    """Which of ``length`` frames is shown at this index.

    >>> [there_and_back(index, 3) for index in range(6)]
    [0, 1, 2, 1, 0, 1]
    """
    period = max(1, 2 * (length - 1))
    place = index % period
    return min(place, period - place)


def facade(size_wh: tuple[int, int]) -> ImageBgr:
    """A background in which nobody stands."""
    return cut_out(FACADE_XYXY, size_wh)


def cut_out(box_xyxy: tuple[int, int, int, int], size_wh: tuple[int, int]) -> ImageBgr:
    """A part of bus.jpg in another size."""
    left, top, right, bottom = box_xyxy
    cut = load_photograph("bus.jpg")[top:bottom, left:right]
    return np.asarray(cv2.resize(cut, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def figure(index: int, frame_height: int, people: int) -> tuple[ImageBgr, NDArray[np.float32]]:
    """One walker, cut out with soft edges, the smaller the more there are."""
    box = left, top, right, bottom = WALKERS_XYXY[index % len(WALKERS_XYXY)]
    height = round(frame_height * (0.8 if people <= 4 else 0.55))
    width = round(height * (right - left) / (bottom - top))
    inside = np.zeros((height, width), np.float32)
    inside[2:-2, 6:-6] = 1.0
    mask = cv2.GaussianBlur(inside, (0, 0), 2.0)
    return cut_out(box, (width, height)), np.asarray(mask, dtype=np.float32)[..., None]


def paste(
    image_bgr: ImageBgr, cut_bgr: ImageBgr, mask: NDArray[np.float32], x: int, y: int
) -> None:
    """Blends a cut-out into an image, in place; what falls outside is left out."""
    height, width = cut_bgr.shape[:2]
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, image_bgr.shape[1]), min(y + height, image_bgr.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    under = image_bgr[y0:y1, x0:x1]
    mixed = mask[part] * cut_bgr[part] + (1 - mask[part]) * under
    image_bgr[y0:y1, x0:x1] = mixed.astype(np.uint8)


@cache
def load_photograph(name: str) -> ImageBgr:
    """A photograph that ultralytics ships (found without importing it), or livepose's own."""
    spec = find_spec("ultralytics")
    path = Path(spec.origin).parent / "assets" / name if spec and spec.origin else None
    path = SHEET if name == SHEET.name else path
    image_bgr = cv2.imread(str(path)) if path and path.is_file() else None
    if image_bgr is None:
        where = f"at {path}" if path else "as that is not installed"
        raise SourceError(
            f"the photograph {name} of the package ultralytics was not found, {where}; install "
            "it with \"pip install 'livepose[torch]'\", or give a video of your own"
        )
    return np.asarray(image_bgr, dtype=np.uint8)
