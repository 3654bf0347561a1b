"""COCO's AP by pycocotools, silent, and in a form that can be counted again quickly."""

import contextlib
import copy
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.evaluation._kernels import precision_and_recall

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CocoScores:
    """The figures of the paper's columns, in percent; NaN where there is nobody of that size."""

    ap: float
    ap50: float
    ap75: float
    apm: float
    apl: float
    ar: float

    def as_dict(self) -> dict[str, float]:
        """Name to percent."""
        return asdict(self)


@dataclass(frozen=True)
class AreaMatches:
    """Detections of one size range of all pictures, best first, matched at T thresholds.

    ``true`` and ``false`` (T, N): is the detection right, is it wrong (neither where it does not
    count). ``picture`` (N,): index of its picture. ``people`` (M,): people to find in each picture.
    """

    true: NDArray[np.bool_]
    false: NDArray[np.bool_]
    picture: NDArray[np.int64]
    people: NDArray[np.int64]


@dataclass(frozen=True)
class CocoMatches:
    """What pycocotools found in each picture: everything that AP needs, without the pixels."""

    areas: Mapping[str, AreaMatches]
    image_ids: tuple[int, ...]
    oks_thresholds: tuple[float, ...]
    recall_thresholds: Array

    def scores(self) -> CocoScores:
        """AP and AR of all pictures."""
        once = np.ones((1, len(self.image_ids)), dtype=np.int64)
        return CocoScores(**{name: float(one[0]) for name, one in self.resampled(once).items()})

    def resampled(self, draws: NDArray[np.int64]) -> dict[str, Array]:
        """Each figure, (B,), where picture i counts ``draws[b, i]`` times."""
        draws = draws.copy()  # one kind of array for the kernel: its own, writable
        ap, recall = self._counted("all", draws)
        place = {limit: index for index, limit in enumerate(self.oks_thresholds)}
        figures = {
            "ap": ap.mean(axis=1),
            "ap50": ap[:, place[0.5]],
            "ap75": ap[:, place[0.75]],
            "apm": self._counted("medium", draws)[0].mean(axis=1),
            "apl": self._counted("large", draws)[0].mean(axis=1),
            "ar": recall.mean(axis=1),
        }
        return {name: 100.0 * values for name, values in figures.items()}

    def _counted(self, name: str, draws: NDArray[np.int64]) -> tuple[Array, Array]:
        area = self.areas[name]
        ap, recall = precision_and_recall(
            area.true, area.false, area.picture, area.people, draws, self.recall_thresholds
        )
        return np.asarray(ap), np.asarray(recall)


def match(
    annotations: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Array | None,
) -> CocoMatches:
    """Lets pycocotools match results (COCO's submission form) with annotations.

    Keypoints are matched by OKS with ``sigmas``; without them, boxes by IoU.

    Raises
    ------
    DataError
        When a result names a picture that the annotations do not have, or nobody is annotated.
    """
    evaluator = run_evaluator(annotations, results, sigmas)
    settings = evaluator.params
    pictures = len(settings.imgIds)
    areas = {
        name: gathered(evaluator.evalImgs[place * pictures : (place + 1) * pictures], settings)
        for place, name in enumerate(settings.areaRngLbl)
    }
    if areas["all"].people.sum() == 0:
        raise DataError("nobody in these pictures is annotated: there is nothing to score")
    return CocoMatches(
        areas,
        tuple(int(one) for one in settings.imgIds),
        tuple(round(float(one), 2) for one in settings.iouThrs),
        np.asarray(settings.recThrs, dtype=np.float64),
    )


def run_evaluator(
    annotations: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Array | None,
) -> Any:
    """The evaluator of pycocotools after it has looked at every picture."""
    coco_class, evaluator_class = tools()
    known = {int(image["id"]) for image in annotations["images"]}
    strangers = sorted({int(result["image_id"]) for result in results} - known)
    if strangers:
        raise DataError(
            f"{len(strangers)} result picture(s) are not among the {len(known)} annotated ones"
            f" (first: id {strangers[0]}); do both files belong to the same set?"
        )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco_class()
        truth.dataset = {**annotations, "annotations": renumbered(annotations["annotations"])}
        truth.createIndex()
        found = truth.loadRes(list(copy.deepcopy(results))) if results else coco_class()
        kind = "bbox" if sigmas is None else "keypoints"
        evaluator = evaluator_class(truth, found, kind)
        evaluator.params.kpt_oks_sigmas = sigmas
        evaluator.params.imgIds = sorted(known)
        evaluator.params.catIds = [1]
        evaluator.evaluate()
    return evaluator


def renumbered(people: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Copies with ids from 1 on: pycocotools takes a match with id 0 for no match."""
    return [{**copy.deepcopy(dict(one)), "id": number} for number, one in enumerate(people, 1)]


def tools() -> tuple[Any, Any]:
    """The two classes of pycocotools; UsageError where the package is missing."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise UsageError(
            "COCO's AP needs the package pycocotools, which is not installed:"
            " pip install pycocotools"
        ) from error
    return COCO, COCOeval


def gathered(pictures: Sequence[Any], settings: Any) -> AreaMatches:
    """One size range of all pictures as flat arrays, best score first."""
    steps = len(settings.iouThrs)
    filled = [(index, one) for index, one in enumerate(pictures) if one is not None]
    people = np.zeros(len(pictures), dtype=np.int64)
    for index, one in filled:
        people[index] = int((np.asarray(one["gtIgnore"]) == 0).sum())
    best = settings.maxDets[-1]
    parts = [
        (
            np.asarray(one["dtScores"][:best], dtype=np.float64),
            np.asarray(one["dtMatches"])[:, :best].reshape(steps, -1) > 0,
            np.asarray(one["dtIgnore"])[:, :best].reshape(steps, -1).astype(bool),
            np.full(len(one["dtScores"][:best]), index),
        )
        for index, one in filled
    ]
    parts.append((np.empty(0), *(np.empty((steps, 0), bool),) * 2, np.empty(0, np.int64)))
    scores, matched, ignored, picture = (
        np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)
    )
    order = np.argsort(-scores, kind="mergesort")
    matched, ignored = matched[:, order], ignored[:, order]
    return AreaMatches(
        np.ascontiguousarray(matched & ~ignored),
        np.ascontiguousarray(~matched & ~ignored),
        picture[order].astype(np.int64),
        people,
    )
