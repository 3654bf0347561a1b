"""``python -m studies.pck lsp|mpii --images ... --annotations ...``."""

import logging
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.cli import guarded
from livepose.cli.evaluate import EvaluationOutputs, show
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation import EvaluationSettings, Progress
from livepose.evaluation.archive import Archive
from livepose.evaluation.metrics import draws
from livepose.evaluation.report import Measured, Row, compared, require_writable
from livepose.evaluation.run import Set, chosen_estimator, measured_rows, open_set, variants_of
from livepose.skeletons import COCO17, MPII16, SKELETONS
from studies.pck.metrics import LSP_GROUPS, MPII_GROUPS, Pck, lsp_pck, mpii_pckh
from studies.pck.mpii import as_mpii, load_mpii, mpii_boxes

logger = logging.getLogger(f"livepose.{__name__}")

MPII_THRESHOLDS = {"@0.5": 0.5, "@0.1": 0.1}
LSP_COLUMNS = {name: name.capitalize() for name in (*LSP_GROUPS, "mean")}
MPII_COLUMNS = {name: name.capitalize() for name in (*MPII_GROUPS, "mean")}


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.pck", description="PCK and PCKh by joint.")
    parser.add_argument("which", choices=("lsp", "mpii"))
    for kind in (EvaluationSettings, EvaluationOutputs):
        add_options(parser, kind)
    parser.add_argument("--head-boxes", type=Path, metavar="FILE", help="MPII's gt_valid.mat")
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def run(arguments: Namespace) -> int:
    """Measures, prints and writes what was asked for."""
    outputs = options(EvaluationOutputs, arguments)
    chosen = options(EvaluationSettings, arguments)
    require_writable([outputs.json, outputs.markdown])
    with progress_bars() as progress:
        if arguments.which == "lsp":
            title, columns, measured = "PCK@0.2", LSP_COLUMNS, run_lsp(chosen, progress)
        else:
            measured = run_mpii(chosen, progress, arguments.head_boxes)
            title, columns = "PCKh", MPII_COLUMNS
    show(outputs, chosen, measured, columns, title)
    return 0


def run_lsp(settings: EvaluationSettings, progress: Progress) -> Measured:
    """PCK@0.2 of the torso on a set in COCO's form, by joint, annotated boxes."""
    data = open_set(settings, progress)
    estimator = chosen_estimator(settings)
    if SKELETONS[estimator.runtime.card.skeleton] is not COCO17:
        raise UsageError("LSP needs weights for coco17")
    truth_xy, labelled = data.dataset.keypoints()
    image = np.array([one.image for one in data.dataset.people])
    score = partial(lsp_pck, truth_xy=np.nan_to_num(truth_xy), labelled=labelled, image=image)
    return _pck_rows(data, estimator, {"": score})


def run_mpii(
    settings: EvaluationSettings, progress: Progress, head_boxes: Path | None = None
) -> Measured:
    """PCKh@0.5 and @0.1 by joint and mean.

    Weights for coco17 are scored on the twelve joints that both skeletons have.
    """
    dataset = load_mpii(settings.annotations, head_boxes, settings.limit)
    images = Archive(settings.images, [one.file_name for one in dataset.images])
    estimator = chosen_estimator(settings)
    card = estimator.runtime.card
    skeleton = SKELETONS[card.skeleton]
    if skeleton is COCO17:
        logger.info(
            "these weights know neither head top, neck, thorax nor pelvis: twelve joints count"
        )
    truth_xy, labelled = dataset.keypoints()
    labelled &= np.isin(MPII16.keypoints, skeleton.keypoints)
    image = np.array([one.image for one in dataset.people])
    heads_xyxy = np.array([one.entry["head_box"] for one in dataset.people])

    def score(found_xy: NDArray[np.float64], limit: float) -> Pck:
        joints_xy = as_mpii(found_xy, skeleton)
        return mpii_pckh(joints_xy, truth_xy, labelled, heads_xyxy, limit, image)

    scores = {name: partial(score, limit=limit) for name, limit in MPII_THRESHOLDS.items()}
    found = mpii_boxes(dataset, card.alignment)
    return _pck_rows(Set(dataset, images, settings, progress, found=found), estimator, scores)


def _pck_rows(
    data: Set,
    estimator: PoseEstimator,
    scores: Mapping[str, Callable[[NDArray[np.float64]], Pck]],
) -> Measured:
    """Rows of every decoder and threshold, and differences to the first of each threshold."""
    counts = len(data.dataset.images), len(data.dataset.people)
    measured = measured_rows(data, estimator, variants_of(data.settings), "livepose")
    rows: list[Row] = []
    for threshold, score in scores.items():
        own = []
        for row, found in measured:
            hits = score(found.keypoints_xy)
            row = replace(row, method=f"{row.method} {threshold}".strip())
            samples = hits.resampled(draws(counts[0]))
            own.append(row.scored(hits.scores(), samples, counts[1]))
        rows += compared(own, "mean")[0]
    return Measured(tuple(rows), (), {}, *counts)


if __name__ == "__main__":
    sys.exit(main())
