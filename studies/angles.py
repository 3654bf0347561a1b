"""How far off the angles of elbows and knees are that one reads from the keypoints.

    python -m studies.angles --images coco/images.zip --annotations coco/annotations.json

An angle is the one at the joint, 0 to 180 degrees, from the three keypoints in the image; its
error is the distance from the angle of the labelled ones. Boxes are the annotated ones, so nobody
is missed or confused. The same measure as that of the package poseaudit, which pairs
people by itself.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.cli import guarded, show_messages
from livepose.errors import DataError, UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.dataset import open_people
from livepose.evaluation.metrics import Interval, draws, percentile_interval
from livepose.evaluation.predict import Variant, annotated_boxes, predict
from livepose.evaluation.report import markdown_table, write_text
from livepose.runtimes import open_runtime
from livepose.skeletons import COCO17, SKELETONS

Floats = NDArray[np.float64]

LARGE_DEG = 15.0
JOINTS = {"Elbow": ("shoulder", "elbow", "wrist"), "Knee": ("hip", "knee", "ankle")}
LIMBS_PX = {"all": 0.0, "limbs of 30 px and more": 30.0}
HEADINGS = (
    *("Weights", "Joint", "Which", "Angles", "Median error, °"),
    f"Beyond {LARGE_DEG:.0f}°, %",
)


@dataclass(frozen=True)
class Errors:
    """Errors (N,) in degrees at one joint, and the index of the image of each."""

    joint: str
    limbs: str
    degrees: Floats
    image: NDArray[np.int64]

    def cells(self, weights: str, images: int) -> list[str]:
        """A row of the table, with 95 % intervals over images."""
        figures: list[Callable[[Floats], float]] = [
            lambda degrees: float(np.median(degrees)),
            lambda degrees: float(np.mean(degrees > LARGE_DEG) * 100),
        ]
        shown = [f"{one(self.degrees):.1f} {self._interval(one, images)}" for one in figures]
        return [weights, self.joint, self.limbs, str(len(self.degrees)), *shown]

    def _interval(self, figure: Callable[[Floats], float], images: int) -> Interval:
        times = (drawn[self.image] for drawn in draws(images))
        samples = [figure(np.repeat(self.degrees, one)) for one in times if one.any()]
        return percentile_interval(np.array(samples))


def interior_deg(points_xy: Floats) -> Floats:
    """The angle (N,) at the second of three points (N, 3, 2); NaN where two fall together."""
    first, second = points_xy[:, 0] - points_xy[:, 1], points_xy[:, 2] - points_xy[:, 1]
    cross = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    angle = np.degrees(np.arctan2(np.abs(cross), (first * second).sum(axis=1)))
    nowhere = (first == 0).all(axis=1) | (second == 0).all(axis=1)
    return np.where(nowhere, np.nan, angle)


def errors(
    found_xy: Floats, truth_xy: Floats, image: NDArray[np.int64], joint: str, limbs: str
) -> Errors:
    """Errors at both sides of one joint where it is labelled and its limbs are long enough."""
    parts = [
        [COCO17.keypoints.index(f"{side}_{part}") for part in JOINTS[joint]]
        for side in ("left", "right")
    ]
    truth, found = (np.concatenate([xy[:, part] for part in parts]) for xy in (truth_xy, found_xy))
    lengths = np.linalg.norm(np.diff(truth, axis=1), axis=2).mean(axis=1)
    off = np.abs(interior_deg(found) - interior_deg(truth))
    kept = np.isfinite(off) & (lengths >= LIMBS_PX[limbs])
    return Errors(joint, limbs, off[kept], np.tile(image, len(parts))[kept])


def measure(options: Namespace) -> list[list[str]]:
    """The rows of every weights file."""
    dataset, archive = open_people(options.images, options.annotations, options.limit)
    truth_xy, _ = dataset.keypoints()
    image = np.array([one.image for one in dataset.people])
    rows, variant = [], Variant("dark")
    with archive as images:
        for weights in options.weights:
            estimator = PoseEstimator(open_runtime(weights, precision=options.precision))
            if SKELETONS[estimator.runtime.card.skeleton] is not COCO17:
                raise UsageError(f"{weights}: angles need weights for coco17")
            sample = annotated_boxes(dataset, estimator.runtime.card.alignment)
            found_xy = predict(estimator, images, sample, [variant])[variant].keypoints_xy
            for limbs in LIMBS_PX:
                for joint in JOINTS:
                    own = errors(found_xy, truth_xy, image, joint, limbs)
                    if not len(own.degrees):
                        where = f"{options.annotations}: not one elbow or knee of 30 px"
                        raise DataError(f"{where} is labelled")
                    rows.append(own.cells(weights, len(dataset.images)))
    return rows


def main(words: Sequence[str] | None = None) -> int:
    """Measures and writes the table."""
    parser = ArgumentParser(prog="python -m studies.angles", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, metavar="DIR|ZIP")
    parser.add_argument("--annotations", type=Path, required=True, metavar="FILE")
    parser.add_argument("--weights", nargs="+", default=["default"], help="names or files")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N images")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the table, - is stdout")
    options = parser.parse_args(words)
    show_messages()

    def run() -> int:
        write_text(options.markdown, markdown_table(HEADINGS, measure(options), 3))
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
