"""Whole people, cut out of annotated photographs.

Keypoints say roughly where the body is; GrabCut (Rother et al., SIGGRAPH 2004,
https://doi.org/10.1145/1015706.1015720; OpenCV's) finds its outline between what is surely inside
(thin limbs) and surely outside (beyond thick limbs).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Dataset, Person
from livepose.frame import ImageBgr
from livepose.skeletons import COCO17

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_HEIGHT_PX = 180
NEEDED = tuple(COCO17.keypoints.index(name) for name in (
    "left_shoulder", "right_shoulder", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
))  # fmt: skip
UPRIGHT = 1.7
"""Least height over width of somebody who stands or walks."""
THIN, THICK = 0.025, 0.10
"""Radius of limbs that are surely body, and beyond which surely nothing is, in body heights."""
SHARE = (0.25, 0.75)
"""What part of its box a well cut body fills."""
ROUNDS = 3
CUT_HEIGHT_PX = 260
"""People are made so tall before they are cut out; GrabCut takes its time."""
SOFT_PX = 1.0


@dataclass(frozen=True)
class ForegroundCrop:
    """One person: ``image_bgr`` (h, w, 3), ``alpha`` (h, w) from 0 to 1, and where joints are.

    ``keypoints_xy`` (17, 2) are px of ``image_bgr``, NaN where nobody labelled them.
    """

    image_bgr: ImageBgr
    alpha: NDArray[np.float32]
    keypoints_xy: Floats

    def resized(self, height_px: int, mirrored: bool) -> "ForegroundCrop":
        """The same person, so tall; ``mirrored`` looks the other way (and left becomes right)."""
        scale = height_px / self.image_bgr.shape[0]
        size_wh = (max(1, round(self.image_bgr.shape[1] * scale)), height_px)
        image = cv2.resize(self.image_bgr, size_wh, interpolation=cv2.INTER_AREA)
        alpha = cv2.resize(self.alpha, size_wh, interpolation=cv2.INTER_AREA)
        keypoints_xy = (self.keypoints_xy + 0.5) * scale - 0.5
        if mirrored:
            image, alpha = image[:, ::-1], alpha[:, ::-1]
            keypoints_xy = keypoints_xy[list(COCO17.flip_permutation)]
            keypoints_xy[:, 0] = size_wh[0] - 1 - keypoints_xy[:, 0]
        return ForegroundCrop(
            np.ascontiguousarray(image), np.ascontiguousarray(alpha), keypoints_xy
        )


def foreground_crops(annotations: Dataset, images: Archive) -> Iterator[ForegroundCrop]:
    """Everybody who stands whole and alone in an image, and could be cut out cleanly."""
    for image, people in zip(annotations.images, annotations.people_by_image, strict=True):
        wanted = [one for one in people if image.size_wh and _whole(one, image.size_wh)]
        wanted = [one for one in wanted if _alone(one, people)]
        if not wanted:
            continue
        image_bgr = images.image_bgr(image.file_name)
        for person in wanted:
            cut = _cut(image_bgr, person)
            if cut is not None:
                yield cut


def _whole(person: Person, size_wh: tuple[int, int]) -> bool:
    (x, y), (width, height), visible = person.box_xyxy[:2], person.wh_px, person.labelled
    inside = x > 2 and y > 2 and x + width < size_wh[0] - 2 and y + height < size_wh[1] - 2
    upright = height >= UPRIGHT * width and height >= LEAST_HEIGHT_PX
    return bool(inside and upright and visible[list(NEEDED)].all() and visible[:5].any())


def _alone(person: Person, people: list[Person]) -> bool:
    others = [one.box_xyxy for one in people if one is not person]
    if not others:
        return True
    return bool(boxes.iou(person.box_xyxy[None], np.array(others)).max() < 0.03)


def _cut(image_bgr: ImageBgr, person: Person) -> ForegroundCrop | None:
    left, top, right, bottom = (round(float(edge)) for edge in person.box_xyxy)
    part = np.ascontiguousarray(image_bgr[top:bottom, left:right])
    rows = person.keypoints
    keypoints_xy = np.where(rows[:, 2:] > 0, rows[:, :2] - (left, top), np.nan)
    whole = ForegroundCrop(part, np.ones(part.shape[:2], np.float32), keypoints_xy)
    whole = whole.resized(min(len(part), CUT_HEIGHT_PX), mirrored=False)
    body = outline(whole.image_bgr, whole.keypoints_xy)
    if body is None or not SHARE[0] <= body.mean() <= SHARE[1]:
        return None
    alpha = cv2.GaussianBlur(body.astype(np.float32), (0, 0), SOFT_PX)
    return replace(whole, alpha=np.asarray(alpha, dtype=np.float32))


def outline(image_bgr: ImageBgr, keypoints_xy: Floats) -> Mask | None:
    """Where the body is in an image of one person, (h, w); None where it falls apart."""
    sure, possible = _limbs(image_bgr, keypoints_xy, THIN), _limbs(image_bgr, keypoints_xy, THICK)
    marks = np.full(sure.shape, cv2.GC_BGD, dtype=np.uint8)
    marks[possible], marks[sure] = cv2.GC_PR_FGD, cv2.GC_FGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image_bgr, marks, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    body = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    body = cv2.morphologyEx(body, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(body)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(labels == largest)


def _limbs(image_bgr: ImageBgr, keypoints_xy: Floats, radius: float) -> Mask:
    """Limbs, torso and head so thick, in parts of the image's height."""
    height, width = image_bgr.shape[:2]
    drawn = np.zeros((height, width), dtype=np.uint8)
    thick_px = max(1, round(2 * radius * height))
    points = [None if np.isnan(xy).any() else tuple(map(round, xy)) for xy in keypoints_xy]
    for first, second in COCO17.limbs:
        one, other = points[first], points[second]
        if one is not None and other is not None:
            cv2.line(drawn, one, other, 1, thick_px)
    torso = np.array([points[index] for index in (5, 6, 12, 11) if points[index]], dtype=np.int32)
    cv2.fillConvexPoly(drawn, cv2.convexHull(torso), 1)
    face = [xy for xy in points[:5] if xy is not None]
    # The skull reaches about a tenth of the body's height around the face.
    if face:
        middle = tuple(map(round, np.mean(face, axis=0)))
        cv2.circle(drawn, middle, round(height * (0.03 if radius == THIN else 0.10)), 1, -1)
    return drawn > 0
