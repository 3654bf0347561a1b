"""How alike poses are (OKS), COCO's results form, its AP by pycocotools, and intervals.

Sources: COCO keypoint evaluation, https://cocodataset.org/#keypoints-eval, and the test protocol
of Sun et al., CVPR 2019 (HRNet): the score of a pose is the score of its box times the mean of
its keypoint scores above 0.2, and poses too alike (OKS above 0.9) are dropped. AP is kept in a form
that can be counted again quickly for images drawn again.
Intervals: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Images, not
people, are drawn again: people of one image are not independent.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.evaluation.predict import Boxed, Predictions
from livepose.skeletons import Skeleton

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

KEYPOINT_SCORE_THRESHOLD = 0.2
NMS_THRESHOLD = 0.9
MOST_POSES = 20  # of one image that COCO looks at
PADDING = 1.25
EPS = float(np.spacing(1))
DRAWS, SEED = 1000, 20190614
AREAS = ("all", "medium", "large")
OKS_050, OKS_075 = 0, 5
"""Their places among the thresholds from 0.5 to 0.95."""
RECALLS = np.linspace(0.0, 1.0, 101)


def sigmas_of(skeleton: Skeleton) -> Array:
    """How precisely people label each keypoint, (K,); DataError where nobody measured it."""
    if skeleton.oks_sigmas is None:
        raise DataError(f"OKS needs a skeleton with sigmas, got {skeleton.name} which has none")
    return np.array(skeleton.oks_sigmas)


def oks_matrix(poses_xy: Array, areas: Array, sigmas: Array) -> Array:
    """Similarity of every pose with every pose, (P, K, 2) to (P, P), 0 to 1; ``areas`` (P,) in px².

    The area of a pair is the mean of both; a keypoint that is missing is like nothing.
    """
    square_px2 = np.sum((poses_xy[:, None] - poses_xy) ** 2, axis=-1)
    pair_areas = (areas[:, None] + areas)[..., None] / 2
    exponents = square_px2 / (2 * sigmas) ** 2 / (pair_areas + EPS) / 2
    return np.asarray(np.nan_to_num(np.exp(-exponents), nan=0.0).mean(axis=2))


def oks_nms(
    poses_xy: Array, scores: Array, areas: Array, sigmas: Array, threshold: float = NMS_THRESHOLD
) -> list[int]:
    """Indices of the poses that stay, best first: none is more alike than ``threshold``."""
    similar = oks_matrix(poses_xy, areas, sigmas)
    left = np.argsort(scores)[::-1]  # of equal ones the last comes first, as published
    keep: list[int] = []
    while left.size:
        best = int(left[0])
        keep.append(best)
        left = left[1:][similar[best, left[1:]] <= threshold]
    return keep


def rescore(box_scores: Array, keypoint_scores: Array) -> Array:
    """Box score (P,) times the mean of the keypoint scores (P, K) above the threshold, else 0."""
    seen = keypoint_scores > KEYPOINT_SCORE_THRESHOLD
    total = np.where(seen, keypoint_scores, 0.0).sum(axis=1)
    return np.asarray(box_scores * total / np.maximum(seen.sum(axis=1), 1))


def enlarged_area(boxes_xyxy: Array, input_hw: tuple[int, int]) -> Array:
    """Area (P,) in px² of what the network sees: the box brought to its aspect, then padded."""
    height, width = input_hw
    wh = np.asarray(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2])
    across = np.maximum(wh[:, 0], wh[:, 1] * width / height) * PADDING
    return np.asarray(across * across * height / width)


def coco_results(
    sample: Sequence[Boxed], found: Predictions, input_hw: tuple[int, int], sigmas: Array
) -> list[dict[str, Any]]:
    """COCO's submission form: rescored poses of every image, without near doubles, best first."""
    results, start = [], 0
    for boxed in sample:
        people = slice(start, start := start + len(boxed))
        poses_xy, keypoint_scores = found.keypoints_xy[people], found.keypoint_scores[people]
        scores = rescore(boxed.scores, keypoint_scores)
        areas = enlarged_area(boxed.boxes_xyxy, input_hw)
        for one in oks_nms(poses_xy, scores, areas, sigmas)[:MOST_POSES]:
            pose = poses_xy[one], keypoint_scores[one], scores[one]
            results.append(pose_result(boxed.image.id, *pose))
    return results


def pose_result(
    image_id: int, keypoints_xy: Array, keypoint_scores: Array, score: float
) -> dict[str, Any]:
    """One pose (K, 2) in COCO's submission form; a keypoint that is missing is 0, 0, 0."""
    rows = np.concatenate([keypoints_xy, keypoint_scores[:, None]], axis=1)
    rows[~np.isfinite(keypoints_xy).all(axis=1)] = 0.0
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": [round(float(one), 4) for one in rows.ravel()],
        "score": round(float(score), 6),
    }


def box_results(image_id: int, boxes_xyxy: Array, scores: Array) -> list[dict[str, Any]]:
    """The boxes of one image in COCO's submission form."""
    xywh = np.hstack([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]]).tolist()
    return [
        {"image_id": image_id, "category_id": 1, "bbox": box, "score": float(score)}
        for box, score in zip(xywh, scores, strict=True)
    ]


class AreaMatches(NamedTuple):
    """Detections of one size range, best first, matched at T thresholds: ``true`` and ``false``
    (T, N), neither where it does not count; ``image`` (N,), index of the image of each;
    ``people`` (M,) to find in each image.
    """

    true: NDArray[np.bool_]
    false: NDArray[np.bool_]
    image: NDArray[np.int64]
    people: NDArray[np.int64]

    def precision_and_recall(self, draw: NDArray[np.int64]) -> Array:
        """Average precision and last recall at each threshold, (2, T), where each image counts
        ``draw`` (M,) times; NaN where nobody is.
        """
        times, people = draw[self.image], int(draw @ self.people)
        if not people:
            return np.full((2, len(self.true)), np.nan)
        right = np.cumsum(times * self.true, axis=1)
        seen = right + np.cumsum(times * self.false, axis=1)
        precision = np.zeros((len(right), right.shape[1] + 1))  # 0 where a recall is not reached
        precision[:, :-1] = right / np.maximum(seen, 1)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        reached = right / people
        places = [np.searchsorted(row, RECALLS) for row in reached]
        found = np.take_along_axis(best, np.array(places), axis=1).mean(axis=1)
        return np.stack([found, reached.max(axis=1, initial=0.0)])


class CocoMatches(NamedTuple):
    """What pycocotools found in each image: everything that AP needs, without the pixels."""

    areas: Mapping[str, AreaMatches]
    images: int

    def scores(self) -> dict[str, float]:
        """The paper's columns in percent; NaN where there is nobody of that size."""
        once = np.ones((1, self.images), dtype=np.int64)
        return {name: float(one[0]) for name, one in self.resampled(once).items()}

    def resampled(self, draws: NDArray[np.int64]) -> dict[str, Array]:
        """Each figure, (B,), where image i counts ``draws[b, i]`` times."""
        everybody, medium, large = (
            np.array([self.areas[name].precision_and_recall(one) for one in draws])
            for name in AREAS
        )
        figures = {
            "ap": everybody[:, 0].mean(axis=1),
            "ap50": everybody[:, 0, OKS_050],
            "ap75": everybody[:, 0, OKS_075],
            "apm": medium[:, 0].mean(axis=1),
            "apl": large[:, 0].mean(axis=1),
            "ar": everybody[:, 1].mean(axis=1),
        }
        return {name: 100.0 * values for name, values in figures.items()}


def tools() -> tuple[Any, Any]:
    """The two classes of pycocotools; UsageError where the package is missing."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise UsageError("COCO's AP needs pycocotools: pip install pycocotools") from error
    return COCO, COCOeval


def match(
    annotations: Mapping[str, Any], results: Sequence[Mapping[str, Any]], sigmas: Array | None
) -> CocoMatches:
    """Lets pycocotools match results (COCO's submission form) with annotations.

    Keypoints are matched by OKS with ``sigmas``; without them, boxes by IoU. DataError when nobody
    is annotated.
    """
    coco_class, evaluator_class = tools()
    known = sorted(int(image["id"]) for image in annotations["images"])
    # Copies, as pycocotools writes into them; ids from 1 on, as it takes a match with 0 for none.
    people = [{**one, "id": number} for number, one in enumerate(annotations["annotations"], 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class()
        truth.dataset = {**annotations, "annotations": people}
        truth.createIndex()
        found = truth.loadRes([dict(one) for one in results]) if results else coco_class()
        evaluator = evaluator_class(truth, found, "bbox" if sigmas is None else "keypoints")
        settings = evaluator.params
        settings.kpt_oks_sigmas, settings.imgIds, settings.catIds = sigmas, known, [1]
        evaluator.evaluate()
    areas = {}
    for name in AREAS:
        start = settings.areaRngLbl.index(name) * len(known)
        areas[name] = _flattened(evaluator.evalImgs[start : start + len(known)], settings)
    if areas["all"].people.sum() == 0:
        raise DataError("nobody in these images is annotated: there is nothing to score")
    return CocoMatches(areas, len(known))


def _flattened(images: Sequence[Any], settings: Any) -> AreaMatches:
    """One size range of all images as flat arrays, best score first."""
    steps, best = len(settings.iouThrs), settings.maxDets[-1]
    people = np.zeros(len(images), dtype=np.int64)
    none = np.empty((steps, 0))
    parts: list[tuple[NDArray[Any], ...]] = [(np.empty(0), none, none, np.empty(0, np.int64))]
    for index, one in enumerate(images):
        if one is not None:
            people[index] = (np.asarray(one["gtIgnore"]) == 0).sum()
            scores = np.array(one["dtScores"][:best], dtype=np.float64)
            flags = (np.asarray(one[name])[:, :best] for name in ("dtMatches", "dtIgnore"))
            parts.append((scores, *(flag.reshape(steps, -1) for flag in flags), scores * 0 + index))
    scores, matched, ignored, image = (
        np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)
    )
    order = np.argsort(-scores, kind="mergesort")
    matched, counts = matched[:, order] > 0, ~(ignored[:, order] > 0)
    where = image[order].astype(np.int64)
    return AreaMatches(matched & counts, ~matched & counts, where, people)


class Interval(NamedTuple):
    """From ``low`` to ``high`` with 95 % confidence; NaN where it could not be drawn."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"[{self.low:.1f}, {self.high:.1f}]"


@lru_cache(maxsize=4)
def draws(images: int, count: int = DRAWS) -> Counts:
    """How often each image is drawn in each resample, (count, images); the same every time."""
    even = np.full(images, 1.0 / max(images, 1))
    drawn = np.random.default_rng(SEED).multinomial(images, even, size=count)
    drawn.setflags(write=False)
    return np.asarray(drawn, dtype=np.int64)


def percentile_interval(samples: Array) -> Interval:
    """The middle 95 % of the samples, NaN ignored; of paired samples give the differences."""
    known = samples[np.isfinite(samples)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (np.nan, np.nan)
    return Interval(float(low), float(high))
