"""A made scene: real people before a real background, and the truth of every frame."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.benchmark.scene import facade
from livepose.boxes import Boxes
from livepose.frame import ImageBgr
from studies.identity.foreground import ForegroundCrop
from studies.identity.trajectories import KINDS, SECONDS, Plan, Trajectory

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIZE_WH = (640, 360)
FPS = 20.0
"""About what a laptop reaches with several people; ByteTrack's 30 frames and livepose's 1.5 s of
waiting for the lost are then the same time."""
STEP_HZ, STEP_PX = 1.9, 2.0
"""Walking people bob so often, so far."""
GROUND = 0.97
"""Where the nearest feet are, in parts of the image's height; farther ones are higher."""
NOISE = 3.0
"""Standard deviation of the camera's noise, in grey levels."""


@dataclass(frozen=True)
class Truth:
    """Everybody at one frame: P people, also those out of the image.

    ``visible`` (P,) is the part of each that is seen, ``boxes_xyxy`` (P, 4) are around the whole
    person cut at the image's edges, ``seen_xyxy`` around what is seen of it (NaN where nothing
    is), ``keypoints_seen`` (P, 17) what is not hidden.
    """

    boxes_xyxy: Boxes
    seen_xyxy: Boxes
    visible: Floats
    keypoints_xy: Floats
    keypoints_seen: Mask


class Scene:
    """A plan played by cut-out people, in its order; ``seed`` is that of the camera's noise."""

    def __init__(
        self, plan: Plan, people: Sequence[ForegroundCrop], name: str, seed: int = 0
    ) -> None:
        self.name, self.seed, self.plan = name, seed, plan
        self.frame_count = round(SECONDS * FPS)
        self._background_bgr = facade(SIZE_WH)
        self._people = [
            one.resized(round(way.height * SIZE_WH[1]), way.mirrored)
            for one, way in zip(people, plan.trajectories, strict=True)
        ]
        random = np.random.default_rng(seed)
        self._noise = random.normal(0.0, NOISE, (*SIZE_WH[::-1], 3)).astype(np.float32)
        self._truths: dict[int, Truth] = {}
        self._order = np.argsort([way.depth for way in plan.trajectories], kind="stable")

    @classmethod
    def drawn(cls, kind: str, seed: int, cast: Sequence[ForegroundCrop]) -> "Scene":
        """The scene of this kind and seed, its people drawn from ``cast``."""
        random = np.random.default_rng([seed, *kind.encode()])
        plan = KINDS[kind](random)
        chosen = random.choice(
            len(cast), len(plan.trajectories), replace=len(cast) < len(plan.trajectories)
        )
        return cls(plan, [cast[index] for index in chosen], f"{kind} {seed}", seed)

    def image(self, index: int) -> ImageBgr:
        """The image at this frame, with the camera's noise."""
        image_bgr = self._background_bgr.astype(np.float32)
        for person in self._order:
            where, part = self._placed(person, index)
            alpha = self._people[person].alpha[part][..., None]
            image_bgr[where] += alpha * (self._people[person].image_bgr[part] - image_bgr[where])
        columns = self._pillar_columns()
        image_bgr[:, columns] = self._background_bgr[:, columns] * 0.7
        image_bgr += np.roll(self._noise, index * 7919, axis=1)
        return np.asarray(np.clip(image_bgr, 0, 255), dtype=np.uint8)

    def truth(self, index: int) -> Truth:
        """Where everybody is at this frame, and what is seen of them."""
        if index not in self._truths:
            self._truths[index] = self._look(index)
        return self._truths[index]

    def _look(self, index: int) -> Truth:
        nearest = self._nearest(index)
        count = len(self._people)
        boxes_xyxy, seen_xyxy = np.full((count, 4), np.nan), np.full((count, 4), np.nan)
        visible, keypoints_xy = np.zeros(count), np.full((count, 17, 2), np.nan)
        for person, cut in enumerate(self._people):
            where, part = self._placed(person, index)
            left, top = self._corner(person, index)
            keypoints_xy[person] = cut.keypoints_xy + np.array([left, top])
            inside = cut.alpha[part] > 0.5
            if inside.any():
                boxes_xyxy[person] = _around(inside) + np.tile(_start(where), 2)
            seen = nearest == person
            if seen.any():
                seen_xyxy[person] = _around(seen)
            visible[person] = seen.sum() / (cut.alpha > 0.5).sum()
        return Truth(
            boxes_xyxy, seen_xyxy, visible, keypoints_xy, _keypoints_seen(keypoints_xy, nearest)
        )

    def _nearest(self, index: int) -> NDArray[np.int64]:
        """Index of the person seen at each pixel, -1 for background and pillar."""
        nearest = np.full(SIZE_WH[::-1], -1)
        for person in self._order:
            where, part = self._placed(person, index)
            nearest[where][self._people[person].alpha[part] > 0.5] = person
        nearest[:, self._pillar_columns()] = -1
        return nearest

    def _corner(self, person: int, index: int) -> tuple[int, int]:
        """Left and top of somebody's cut-out, in whole px."""
        way: Trajectory = self.plan.trajectories[person]
        height, width = self._people[person].alpha.shape
        time_s = index / FPS
        bob = STEP_PX * abs(np.sin(np.pi * STEP_HZ * time_s + person))
        farther = 0.10 * (
            1 - way.depth / max(1.0, max(one.depth for one in self.plan.trajectories))
        )
        feet = (GROUND - farther) * SIZE_WH[1] - bob
        return round(way.x(time_s) * SIZE_WH[0] - width / 2), round(feet - height)

    def _placed(self, person: int, index: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where somebody is in the image, and which part of the cut-out that is."""
        left, top = self._corner(person, index)
        height, width = self._people[person].alpha.shape
        x0, x1 = np.clip((left, left + width), 0, SIZE_WH[0])
        y0, y1 = np.clip((top, top + height), 0, SIZE_WH[1])
        part = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        return (slice(y0, y1), slice(x0, x1)), part

    def _pillar_columns(self) -> slice:
        edges = self.plan.pillar_x or (0.0, 0.0)
        return slice(*(round(edge * SIZE_WH[0]) for edge in edges))


def _start(where: tuple[slice, slice]) -> tuple[int, int]:
    return where[1].start, where[0].start


def _around(inside: Mask) -> Floats:
    left, top, width, height = cv2.boundingRect(inside.astype(np.uint8))
    return np.array([left, top, left + width, top + height], dtype=np.float64)


def _keypoints_seen(keypoints_xy: Floats, nearest: NDArray[np.int64]) -> Mask:
    """Which keypoints lie on a pixel that shows their own person, (P, 17)."""
    known = np.isfinite(keypoints_xy).all(axis=2)
    columns, rows = np.nan_to_num(np.moveaxis(keypoints_xy, 2, 0), nan=-1).round().astype(int)
    height, width = nearest.shape
    within = known & (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    owner = nearest[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    return np.asarray(within & (owner == np.arange(len(owner))[:, None]))
