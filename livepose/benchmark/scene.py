"""Moving scenes made from photographs, for a machine without a camera or a video: a camera that
travels over them, for looking, and any number of people who walk before a quiet background, whose
boxes are known, for measuring.
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
# Photograph, first view, last view; a view is its centre and width, in parts of the photograph.
SHOTS = (
    ("bus.jpg", (0.45, 0.58, 1.0), (0.32, 0.60, 0.85)),
    ("bus.jpg", (0.32, 0.60, 0.85), (0.60, 0.60, 0.85)),
    ("zidane.jpg", (0.42, 0.50, 0.75), (0.58, 0.50, 0.72)),
)
# The same over livepose's own four people, where ultralytics is not installed.
OWN_SHOTS = ((SHEET.name, (0.22, 0.5, 0.42), (0.78, 0.5, 0.42)),)


class CameraPath(Source):
    """A camera that travels over the photographs."""

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
    whole_wh, seen_wh = np.array(photograph_bgr.shape[1::-1]), np.array(size_wh)
    scale = float(size_wh[0] / (view[2] * whole_wh[0]))
    # The view never leaves the photograph where it can be helped.
    half = seen_wh / scale / 2
    centre = np.clip(view[:2] * whole_wh, half, np.maximum(whole_wh - half, half))
    left, top = seen_wh / 2 - scale * centre
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.warpAffine(
        photograph_bgr, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(seen, dtype=np.uint8)


class WalkingPeople(Source):
    """``people`` figures that walk to and fro before a facade."""

    fps = FPS
    frame_count: int

    def __init__(
        self, people: int, frame_count: int, size_wh: tuple[int, int] = (640, 480)
    ) -> None:
        self.people, self.frame_count, self.size_wh = people, frame_count, size_wh
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
        """True boxes of the figures at this frame, (people, 4), whole pixels."""
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
    return min(index % period, -index % period)


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
    under = image_bgr[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
    top, left = max(-y, 0), max(-x, 0)
    seen = np.s_[top : top + under.shape[0], left : left + under.shape[1]]
    under[:] = (mask[seen] * cut_bgr[seen] + (1 - mask[seen]) * under).astype(np.uint8)


@cache
def load_photograph(name: str) -> ImageBgr:
    """A photograph that ultralytics ships (found without importing it), or livepose's own."""
    spec = find_spec("ultralytics")
    path = Path(spec.origin).parent / "assets" / name if spec and spec.origin else Path(name)
    image_bgr = cv2.imread(str(SHEET if name == SHEET.name else path))
    if image_bgr is None:
        raise SourceError(
            f"{path}, a photograph of the package ultralytics, was not found; install it with "
            "\"pip install 'livepose[torch]'\", or give a video of your own"
        )
    return np.asarray(image_bgr, dtype=np.uint8)
