"""COCO's AP by pycocotools, silent, and in a form that can be counted again quickly."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError

Array = NDArray[np.float64]
AREAS = ("all", "medium", "large")
OKS_050, OKS_075 = 0, 5
"""Their places among the thresholds from 0.5 to 0.95."""
RECALLS = np.linspace(0.0, 1.0, 101)


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
