"""``livepose eval lsp`` and ``eval mpii``: the share of keypoints near enough, joint by joint."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.annotations import load_annotations
from livepose.evaluation.bootstrap import resampled_pck
from livepose.evaluation.measured import Measured, bare_row, speeds_of
from livepose.evaluation.model import open_estimator
from livepose.evaluation.mpii import as_mpii, load_mpii
from livepose.evaluation.pck import LSP_GROUPS, MPII_GROUPS, Pck, lsp_pck, mpii_pckh
from livepose.evaluation.people import Boxed, annotated_boxes
from livepose.evaluation.pictures import PictureStore
from livepose.evaluation.predict import Predictions, predict
from livepose.evaluation.rows import Row, Scored, against, scored
from livepose.evaluation.settings import Choice, Progress, no_progress
from livepose.skeletons import COCO17, SKELETONS

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

LSP_THRESHOLDS = {"": 0.2}
MPII_THRESHOLDS = {"@0.5": 0.5, "@0.1": 0.1}


@dataclass(frozen=True)
class Scale:
    """One threshold of a set: how keypoints are scored by it, and whose picture each person is."""

    name: str
    score: Callable[[Array], Pck]
    picture: NDArray[np.int64]


def run_lsp(choice: Choice, progress: Progress = no_progress) -> Measured:
    """PCK@0.2 of the torso on a set in COCO's form, by joint, annotated boxes."""
    annotations = load_annotations(choice.annotations, choice.limit)
    store = PictureStore.holding(choice.images, annotations.file_names)
    estimator = opened(choice)
    if SKELETONS[estimator.runtime.card.skeleton] is not COCO17:
        raise UsageError("`eval lsp` needs weights for coco17")
    truth_xy, labelled = annotations.keypoints()
    truth_xy = np.nan_to_num(truth_xy)
    place = {image_id: index for index, image_id in enumerate(annotations.image_ids)}
    picture = np.array([place[one["image_id"]] for one in annotations.people])
    scales = [
        Scale(
            name,
            partial(lsp_pck, truth_xy=truth_xy, labelled=labelled, threshold=limit),
            picture,
        )
        for name, limit in LSP_THRESHOLDS.items()
    ]
    sample = annotated_boxes(annotations, estimator.runtime.card.alignment)
    return measure(choice, estimator, store, sample, scales, progress)


def run_mpii(
    choice: Choice, progress: Progress = no_progress, head_boxes: Path | None = None
) -> Measured:
    """PCKh@0.5 and @0.1 by joint and mean.

    Weights for coco17 are scored on the twelve joints that both skeletons have.
    """
    people = load_mpii(choice.annotations, head_boxes, choice.limit)
    store = PictureStore.holding(choice.images, (str(one["image"]) for one in people.entries))
    estimator = opened(choice)
    skeleton = SKELETONS[estimator.runtime.card.skeleton]
    if skeleton is COCO17:
        logger.info(
            "these weights know neither head top, neck, thorax nor pelvis: twelve joints count"
        )

    def score(found_xy: Array, limit: float) -> Pck:
        joints_xy, has = as_mpii(found_xy, skeleton)
        seen = people.labelled & has
        return mpii_pckh(joints_xy, people.joints_xy, seen, people.head_boxes_xyxy, limit)

    names = {str(one["image"]): None for one in people.entries}
    place = {name: index for index, name in enumerate(names)}
    picture = np.array([place[str(one["image"])] for one in people.entries])
    scales = [
        Scale(name, partial(score, limit=limit), picture) for name, limit in MPII_THRESHOLDS.items()
    ]
    sample = people.boxes(estimator.runtime.card.alignment)
    return measure(choice, estimator, store, sample, scales, progress)


def opened(choice: Choice) -> PoseEstimator:
    """The weights that were chosen."""
    if choice.boxes != "gt":
        raise UsageError("--boxes belongs to `livepose eval coco`")
    return open_estimator(
        choice.weights, choice.input_hw, choice.runtime, choice.device, choice.precision
    )


def measure(
    choice: Choice,
    estimator: PoseEstimator,
    store: PictureStore,
    sample: Sequence[Boxed],
    scales: Sequence[Scale],
    progress: Progress,
) -> Measured:
    """Rows of every decoder and threshold, and differences to the first of each threshold."""
    people = sum(len(boxed) for boxed in sample)
    advance = progress("livepose", people)
    found = predict(estimator, store, sample, choice.variants, choice.loading, advance)
    speeds = speeds_of(choice, choice.variants, estimator, store, sample)
    rows: list[Row] = []
    for scale in scales:
        own = []
        for variant, one in found.items():
            method = f"livepose, {variant.label} {scale.name}".strip()
            row = bare_row(estimator, method, speeds.get(variant))
            own.append(scored_by(scale, row, one))
        rows += [against(own[0], one, "mean") for one in own]
    store.close()
    differences = tuple(row.minus_first for row in rows if row.minus_first is not None)
    pictures = int(scales[0].picture.max()) + 1
    return Measured(tuple(rows), differences, {}, pictures, people)


def scored_by(scale: Scale, row: Row, found: Predictions) -> Scored:
    """The row with its figures, and its columns for each resample of pictures."""
    answer = scale.score(found.keypoints_xy)
    figures = {name.lower(): value for name, value in answer.groups.items()}
    samples = resampled_pck(answer, scale.picture)
    return scored(row, {**figures, "mean": answer.mean}, samples, len(found.keypoint_scores))


def columns(groups: Mapping[str, object]) -> dict[str, str]:
    """Column names of a table."""
    return {**{name.lower(): name for name in groups}, "mean": "Mean"}


LSP_COLUMNS = columns(LSP_GROUPS)
MPII_COLUMNS = columns(MPII_GROUPS)
