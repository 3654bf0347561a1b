"""Photographs of people, known camera paths, and the clips that a camera on one would take."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.benchmark.scene import load_photograph
from livepose.boxes import Boxes
from livepose.errors import DataError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Image, Person, load_annotations
from livepose.evaluation.predict import annotated_boxes
from livepose.frame import ImageBgr

Floats = NDArray[np.float64]

LONG_SIDE_PX = 640
EXPOSURE = 0.5
"""Part of the time between two images during which the shutter is open."""
BLUR_SAMPLES = 6
GRAIN_MARGIN_PX = 128
NOISE_READ, NOISE_SHOT = 2.0, 0.25
"""Sensor noise: deviation in grey levels in the dark, and its growth with the root of the level."""

PLAN = (
    ("still", 30.0),
    ("pan", 30.0),
    ("stop-and-go", 30.0),
    ("turn", 30.0),
    ("stop-and-go", 60.0),
    ("wave", 60.0),
    ("zoom", 60.0),
    ("still", 60.0),
)
"""Camera path and frame rate of each clip, most telling first."""

SHIPPED = {
    "bus.jpg": ((50, 398, 246, 904), (222, 405, 345, 860), (670, 392, 810, 878)),
    "zidane.jpg": ((123, 197, 1111, 711), (745, 41, 1142, 711)),
}
"""People in the photographs that ultralytics ships: left, top, right, bottom."""

LEAST_PEOPLE, MOST_PEOPLE, LEAST_KEYPOINTS, LEAST_HEIGHT = 2, 3, 11, 0.3


View = tuple[float, float, float, float]
"""Shift along x and y in parts of the image's longer side, zoom, turn in degrees."""

REST: View = (0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class CameraMove:
    """A path of the camera by name, and the view that it has at a time in seconds."""

    name: str
    view: Callable[[float], View]

    def matrices(self, times_s: Floats, size_wh: tuple[int, int], scale: float) -> Floats:
        """Affine maps (T, 2, 3) from the photograph to the image.

        At rest the photograph is enlarged by ``scale`` and fills the image of ``size_wh``.
        """
        return np.stack([_matrix(self.view(float(time)), size_wh, scale) for time in times_s])


def _matrix(view: View, size_wh: tuple[int, int], scale: float) -> Floats:
    shift_x, shift_y, zoom, turn_deg = view
    angle, longer = np.deg2rad(turn_deg), max(size_wh)
    linear = (
        zoom * scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    )
    middle = (np.array(size_wh) - 1) / 2
    photograph_middle = (np.array(size_wh) / scale - 1) / 2
    shift = np.array([shift_x, shift_y]) * longer
    offset = middle + shift - linear @ photograph_middle
    return np.column_stack([linear, offset])


def apply(matrices: Floats, points_xy: Floats) -> Floats:
    """Points (N, 2) under each of the maps (T, 2, 3): (T, N, 2)."""
    moved = np.einsum("tij,nj->tni", matrices[:, :, :2], points_xy)
    return np.asarray(moved + matrices[:, None, :, 2])


def undo(matrices: Floats, points_xy: Floats) -> Floats:
    """Points (T, N, 2), each image's own, back in the photograph."""
    inverse = np.linalg.inv(matrices[:, :, :2])
    return np.asarray(np.einsum("tij,tnj->tni", inverse, points_xy - matrices[:, None, :, 2]))


def _pan(time_s: float) -> View:
    turn = 2 * np.pi * time_s
    return 0.12 * np.sin(0.45 * turn), 0.04 * np.sin(0.3 * turn), 1.0, 0.0


STOPS = ((0.0, 0.0), (0.18, 0.0), (0.1, 0.08), (-0.15, 0.0), (-0.1, -0.08), (0.12, 0.0), (0.0, 0.0))
MOVE_S, STAY_S = 0.3, 0.5


def _stop_and_go(time_s: float) -> View:
    """Moves of ``MOVE_S`` between the stops, as an arm does them, with a stay after each.

    Each move follows the minimum-jerk profile (Flash and Hogan, J. Neuroscience 5, 1985).
    """
    leg, since_s = divmod(time_s, MOVE_S + STAY_S)
    start, end = STOPS[int(leg) % len(STOPS)], STOPS[(int(leg) + 1) % len(STOPS)]
    part = max(0.0, min(1.0, (since_s - STAY_S) / MOVE_S))
    share = part**3 * (10 - 15 * part + 6 * part**2)
    x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return x, y, 1.0, 0.0


MOVES = {
    name: CameraMove(name, view)
    for name, view in {
        "still": lambda time_s: REST,
        "pan": _pan,
        "zoom": lambda time_s: (0.0, 0.0, 1.0 + 0.2 * np.sin(2 * np.pi * 0.4 * time_s), 0.0),
        "turn": lambda time_s: (0.0, 0.0, 1.0, 10.0 * np.sin(2 * np.pi * 0.5 * time_s)),
        # To and fro twice a second, as a hand that waves.
        "wave": lambda time_s: (0.06 * np.sin(2 * np.pi * 2.0 * time_s), 0.0, 1.0, 0.0),
        "stop-and-go": _stop_and_go,
    }.items()
}
"""The paths by name."""


@dataclass(frozen=True)
class Photograph:
    """A photograph and the boxes of its people, (P, 4)."""

    name: str
    image_bgr: ImageBgr
    boxes_xyxy: Boxes


@dataclass(frozen=True)
class Clip:
    """What a camera on the path ``move`` takes of a photograph, at ``fps`` for ``duration_s``."""

    photograph: Photograph
    move: CameraMove
    fps: float
    duration_s: float
    seed: int = 0

    @property
    def name(self) -> str:
        """Path, frame rate and photograph."""
        return f"{self.move.name} {self.fps:g} fps {self.photograph.name}"

    @property
    def times_s(self) -> Floats:
        """Time of each image: the middle of its exposure."""
        return np.arange(round(self.duration_s * self.fps)) / self.fps

    @property
    def scale(self) -> float:
        """By how much the photograph is enlarged at rest."""
        return float(LONG_SIDE_PX / max(self.photograph.image_bgr.shape[:2]))

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the images."""
        height, width = self.photograph.image_bgr.shape[:2]
        return round(width * self.scale), round(height * self.scale)

    def matrices(self, times_s: Floats | None = None) -> Floats:
        """Affine maps (T, 2, 3) from the photograph to the images (at these times)."""
        at_s = self.times_s if times_s is None else times_s
        return self.move.matrices(at_s, self.size_wh, self.scale)

    def boxes_xyxy(self) -> Floats:
        """True boxes, (T, P, 4): around the turned corners."""
        low, high = self.photograph.boxes_xyxy[:, :2], self.photograph.boxes_xyxy[:, 2:]
        corners = [low, high, np.c_[low[:, 0], high[:, 1]], np.c_[high[:, 0], low[:, 1]]]
        moved = np.stack([apply(self.matrices(), points) for points in corners])
        return np.concatenate([moved.min(axis=0), moved.max(axis=0)], axis=2)

    def __iter__(self) -> Iterator[ImageBgr]:
        random = np.random.default_rng(self.seed)
        grain = _grain(self.size_wh, random)
        open_s = EXPOSURE / self.fps * np.linspace(-0.5, 0.5, BLUR_SAMPLES)
        for time_s in self.times_s:
            yield _sensed(self._exposed(time_s + open_s), grain, random)

    def _exposed(self, times_s: Floats) -> NDArray[np.float32]:
        """Mean of what falls on the sensor while the shutter is open."""
        matrices = self.matrices(times_s)
        if np.allclose(matrices, matrices[0]):
            matrices = matrices[:1]
        images = [_warped(self.photograph.image_bgr, one, self.size_wh) for one in matrices]
        return np.asarray(np.mean(images, axis=0, dtype=np.float32))


def _warped(image_bgr: ImageBgr, matrix: Floats, size_wh: tuple[int, int]) -> ImageBgr:
    # Large photographs are first brought near their final size: bilinear sampling would skip.
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    flags = cv2.INTER_AREA if scale < 0.7 else cv2.INTER_LINEAR
    seen = cv2.warpAffine(image_bgr, matrix, size_wh, flags=flags, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, dtype=np.uint8)


def _grain(size_wh: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Noise larger than an image; each image gets another part of it, which is quicker."""
    shape = (size_wh[1] + GRAIN_MARGIN_PX, size_wh[0] + GRAIN_MARGIN_PX, 3)
    return random.standard_normal(shape, dtype=np.float32)


def _sensed(
    exposed: NDArray[np.float32], grain: NDArray[np.float32], random: np.random.Generator
) -> ImageBgr:
    height, width = exposed.shape[:2]
    top, left = random.integers(0, GRAIN_MARGIN_PX, 2)
    own = grain[top : top + height, left : left + width]
    sensed = exposed + np.sqrt(NOISE_READ**2 + NOISE_SHOT**2 * exposed) * own
    return np.asarray(np.clip(np.rint(sensed), 0, 255), dtype=np.uint8)


def shipped_photographs() -> list[Photograph]:
    """The two photographs that are on every machine that has ultralytics."""
    return [
        _fitting(Photograph(name, load_photograph(name), np.array(boxes, dtype=np.float64)))
        for name, boxes in SHIPPED.items()
    ]


def annotated_photographs(images: Path, annotations: Path, count: int) -> list[Photograph]:
    """Photographs of an annotated set with two or three well-seen people, richest first.

    Raises
    ------
    DataError
        When the set has none.
    """
    known = load_annotations(annotations)
    everybody = zip(known.images, known.people_by_image, strict=True)
    chosen = sorted(
        ((image, people) for image, people in everybody if _suits(image, people)),
        key=lambda one: (-_richness(*one), one[0].id),
    )
    if not chosen:
        raise DataError(f"{annotations}: no image has two or three people who are seen well")
    store = Archive(images)
    boxes = {row.image.id: row.boxes_xyxy for row in annotated_boxes(known, "pixel_centre")}
    rows = []
    for image, people in chosen[:count]:
        good = np.array([_seen_well(one, image) for one in people])
        stem = Path(image.file_name).stem.lstrip("0")
        rows.append(Photograph(stem, store.image_bgr(image.file_name), boxes[image.id][good]))
    store.close()
    return rows


def _seen_well(person: Person, image: Image) -> bool:
    size = max(image.size_wh or (LONG_SIDE_PX, LONG_SIDE_PX))
    return bool(person.labelled.sum() >= LEAST_KEYPOINTS and person.wh_px[1] >= LEAST_HEIGHT * size)


def _suits(image: Image, people: Sequence[Person]) -> bool:
    good = [_seen_well(one, image) for one in people]
    return LEAST_PEOPLE <= sum(good) <= MOST_PEOPLE


def _richness(image: Image, people: Sequence[Person]) -> float:
    return float(np.mean([one.labelled.sum() for one in people if _seen_well(one, image)]))


def _fitting(photograph: Photograph) -> Photograph:
    """The same at most ``LONG_SIDE_PX`` long."""
    height, width = photograph.image_bgr.shape[:2]
    scale = min(1.0, LONG_SIDE_PX / max(height, width))
    size_wh = (round(width * scale), round(height * scale))
    small = cv2.resize(photograph.image_bgr, size_wh, interpolation=cv2.INTER_AREA)
    return Photograph(photograph.name, np.asarray(small, np.uint8), photograph.boxes_xyxy * scale)


def make_clips(photographs: Sequence[Photograph], count: int, duration_s: float) -> list[Clip]:
    """The first ``count`` clips of the plan, photographs in turn."""
    return [
        Clip(photographs[index % len(photographs)], MOVES[move], fps, duration_s, seed=index)
        for index, (move, fps) in enumerate(PLAN[:count])
    ]
