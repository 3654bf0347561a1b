"""What each input size of the detector finds, and takes: ``python -m benchmarks.detector_sizes``.

Three tables. On annotated pictures: AP and AP50 of the boxes, false boxes a picture, and the share
of people who are found by how tall they are: in parts of the picture's longer side, and in pixels
of the input. On clips, where nobody is annotated: how many people a frame are found, and the share
of those that another detector finds. And milliseconds of one picture of 640x480, sizes in turn.

A person counts as found from the score on with which the tracker lets somebody begin. ``closer`` is
the usual size and the small people of a larger one, see ``livepose.detection.detector``.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose import boxes
from livepose.benchmark.run import spread
from livepose.boxes import Boxes
from livepose.detection import Detections, Detector
from livepose.detection.detector import YoloDetector
from livepose.detection.load import open_file
from livepose.evaluation.archive import Archive
from livepose.evaluation.coco import match
from livepose.evaluation.dataset import load_annotations
from livepose.evaluation.metrics import box_results, draws, percentile_interval
from livepose.evaluation.validation import LEAST_SCORE
from livepose.frame import ImageBgr
from livepose.sources import open_video
from livepose.tracking.associate import BIRTH_SCORE
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file

SIZES_PX = (256, 320, 416, 512, 640)
FOUND_SCORE = BIRTH_SCORE
FOUND_IOU = 0.5
REFERENCE_SCORE = 0.4
PARTS = (0.0, 1 / 16, 1 / 8, 1 / 4, 1 / 2, np.inf)
"""Limits of heights in parts of the picture's longer side."""
HEIGHTS_PX = (0, 16, 24, 32, 48, 64, 96, 128, 192, np.inf)
"""Limits of heights in pixels of the input."""
FRAMES = 12
"""Frames of a clip, evenly spread."""
ROUNDS = 60
SPEED_WH = (640, 480)

Rows = list[list[str]]
Found = list[tuple[Boxes, Detections, int]]
"""True boxes of a picture, what was found in it, and its longer side."""


class Closer:
    """A detector whose every look is close."""

    def __init__(self, inner: YoloDetector) -> None:
        self.name, self._inner = inner.name, inner

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people in each picture, the small ones of them in a larger input."""
        return [self._inner.detect_small(image).people for image in images_bgr]


def detectors(path: Path, score_threshold: float) -> dict[str, Detector]:
    """One detector a size, and one that always looks closer than the usual size, by name."""
    fixed = {str(px): open_file(path, "cpu", px, score_threshold) for px in SIZES_PX}
    usual = open_file(path, "cpu", None, score_threshold)
    return {**fixed, "closer": Closer(usual)}


def picture_tables(path: Path, images: Path, annotations: Path) -> tuple[Rows, Rows]:
    """Accuracy and recall by part of the picture, and recall by pixels of the input."""
    dataset, pictures = load_annotations(annotations, skeleton=None), Archive(images)
    true: list[list[Boxes]] = [[] for _ in dataset.pictures]
    for person in dataset.everybody:
        true[person.picture].append(person.box_xyxy)
    by_part, by_height = [_head("size", ("AP", "AP50", "false"), PARTS)], []
    by_height.append(_head("size", (), HEIGHTS_PX))
    for name, detector in detectors(path, LEAST_SCORE).items():
        results: list[dict[str, Any]] = []
        found: Found = []
        for picture, boxes_xyxy in zip(dataset.pictures, true, strict=True):
            image = pictures.image_bgr(picture.file_name)
            [seen] = detector([image])
            results += box_results(picture.id, seen.boxes_xyxy, seen.scores)
            rows = np.array(boxes_xyxy).reshape(-1, 4)
            found.append((rows, _sure(seen), max(image.shape[:2])))
        matches = match(dataset.document(), results, None)
        accuracy, drawn = matches.scores(), matches.resampled(draws(matches.pictures))
        false = np.mean([(~matched(seen.boxes_xyxy, own)).sum() for own, seen, _ in found])
        told = [f"{accuracy[one]:.1f} {percentile_interval(drawn[one])}" for one in ("ap", "ap50")]
        told.append(f"{false:.2f}")
        by_part.append([name, *told, *recalls(found, PARTS, 1.0)])
        if name.isdigit():
            by_height.append([name, *recalls(found, HEIGHTS_PX, int(name))])
    return by_part, by_height


def _head(first: str, more: Sequence[str], limits: Sequence[float]) -> list[str]:
    spans = [f"{low:g} to {high:g}" for low, high in pairwise(limits)]
    return [first, *more, *spans]


def recalls(found: Found, limits: Sequence[float], longer_side: float) -> list[str]:
    """The share of people found between each two limits of height, with how many there are.

    Heights are told for pictures of that longer side.
    """
    heights, hits = [], []
    for true, seen, picture_px in found:
        heights.append((true[:, 3] - true[:, 1]) * (longer_side / picture_px))
        hits.append(matched(true, seen.boxes_xyxy))
    which = np.digitize(np.concatenate(heights), limits) - 1
    hit = np.concatenate(hits)
    cells = [hit[which == index] for index in range(len(limits) - 1)]
    return [f"{cell.mean():.2f} ({len(cell)})" if len(cell) else "-" for cell in cells]


def _sure(seen: Detections) -> Detections:
    sure = seen.scores >= FOUND_SCORE
    return Detections(seen.boxes_xyxy[sure], seen.scores[sure])


def matched(boxes_xyxy: Boxes, others_xyxy: Boxes) -> NDArray[np.bool_]:
    """Which of these boxes (N, 4) any of the others lies on."""
    return np.asarray((boxes.iou(boxes_xyxy, others_xyxy) >= FOUND_IOU).any(axis=1))


def clip_table(path: Path, clips: Sequence[Path], other: Path | None) -> Rows:
    """People a frame that each size finds, and how many of those that another detector finds.

    Without another detector it is the largest size.
    """
    sizes = detectors(path, FOUND_SCORE)
    reference = sizes[str(SIZES_PX[-1])]
    if other is not None:
        reference = open_file(other, "cpu", None, REFERENCE_SCORE)
    rows = [["clip", *sizes, "wanted"]]
    for clip in clips:
        images = some_frames(clip)
        wanted = [one.boxes_xyxy for one in reference(images)]
        seen = [[one.boxes_xyxy for one in detector(images)] for detector in sizes.values()]
        people = f"{np.mean([len(one) for one in wanted]):.1f}"
        rows.append([clip.stem, *(share(one, wanted) for one in seen), people])
    return rows


def some_frames(clip: Path) -> list[ImageBgr]:
    """Evenly spread frames of a clip."""
    images = [frame.image_bgr for frame in open_video(clip)]
    which = np.linspace(0, len(images) - 1, min(FRAMES, len(images))).astype(int)
    return [images[index] for index in which]


def share(seen: list[Boxes], wanted: list[Boxes]) -> str:
    """People a frame, and the part of those who are wanted that is among them."""
    people = np.mean([len(one) for one in seen])
    again = [matched(true, one) for true, one in zip(wanted, seen, strict=True)]
    share = np.concatenate(again).mean() if sum(map(len, again)) else np.nan
    return f"{people:.1f} ({share:.2f})"


def speed_table(path: Path) -> Rows:
    """Milliseconds of a picture, median and quartiles; the sizes take turns."""
    picture = np.random.default_rng(0).integers(0, 255, (*SPEED_WH[::-1], 3), dtype=np.uint8)
    sizes = detectors(path, FOUND_SCORE)
    took_ms: dict[str, list[float]] = {name: [] for name in sizes}
    for turn in range(-3, ROUNDS):
        for name, detector in sizes.items():
            start_s = time.perf_counter()
            detector([picture])
            if turn >= 0:
                took_ms[name].append((time.perf_counter() - start_s) * 1e3)
    rows = [["size", "ms"]]
    for name, samples in took_ms.items():
        one = spread(samples)
        rows.append([name, "{median:.1f} [{q1:.1f}, {q3:.1f}]".format(**one)])
    return rows


def markdown(rows: Rows) -> str:
    """A table whose first row is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the tables that the options allow."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detector_sizes")
    parser.add_argument("--detector", type=Path, default=embedded_file(DEFAULT_DETECTOR + SUFFIX))
    parser.add_argument("--images", type=Path, help="folder or ZIP of annotated pictures")
    parser.add_argument("--annotations", type=Path, help="in COCO's form")
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--reference", type=Path, help="another detector, to be equalled on clips")
    chosen = parser.parse_args(argv)
    tables = [speed_table(chosen.detector)]
    if chosen.images and chosen.annotations:
        tables += picture_tables(chosen.detector, chosen.images, chosen.annotations)
    if chosen.clips:
        tables.append(clip_table(chosen.detector, chosen.clips, chosen.reference))
    print("\n\n".join(markdown(table) for table in tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
