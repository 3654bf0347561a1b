"""``python -m studies.identity interval``: what rarer detection costs and gains, on clips.

The pipeline plays a clip once for each interval of detection. What it finds with the detector at
every frame is the measure: how alike the poses are (OKS), how many people are missing or too many,
how many ids it takes, and how fast it is.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.evaluation.report import figure_with, markdown_table, save
from livepose.frame import Frame
from livepose.pipeline import PosePipeline, Settings
from livepose.poses import Poses
from livepose.sources import open_source
from livepose.tracking.associate import assign
from livepose.tracking.identity import oks

logger = logging.getLogger(f"livepose.{__name__}")

WARM_UP = 5
SAME_OKS = 0.5
LEAST_SCORE = 0.2
HEADINGS = (
    "clip",
    "detector",
    "people as at every frame",
    "OKS with them",
    "ids",
    "detected",
    "fps",
)


@dataclass(frozen=True)
class Measured:
    """One clip at one interval (None adapts), against the detector at every frame.

    ``agreement`` is the F1 of people found in both, ``oks`` their mean likeness.
    """

    clip: str
    interval: int | None
    agreement: float
    oks: float
    ids: int
    detected: float
    fps: float

    def cells(self) -> list[str]:
        """As text, in the order of ``HEADINGS``."""
        interval = "adaptive" if self.interval is None else f"every {self.interval}"
        return [
            self.clip, interval, f"{100 * self.agreement:.1f} %", f"{self.oks:.3f}",
            str(self.ids), f"{100 * self.detected:.0f} %", f"{self.fps:.1f}",
        ]  # fmt: skip


def measure(
    clips: Sequence[Path], intervals: Sequence[int | None], settings: Settings, frames: int | None
) -> list[Measured]:
    """Every clip at every interval, ``frames`` of it at most."""
    pipeline = PosePipeline(replace(settings, smooth="none"))
    rows: list[Measured] = []
    for clip in clips:
        with open_source(clip) as source:
            images = list(islice(source, frames))
        truth, *_ = _play(pipeline, images, 1)
        for interval in intervals:
            found, detected, fps = _play(pipeline, images, interval)
            ids = len(np.unique(np.concatenate([poses.track_ids for poses in found])))
            row = Measured(clip.name, interval, *_likeness(truth, found), ids, detected, fps)
            logger.info(" | ".join(row.cells()))
            rows.append(row)
    return rows


def _play(
    pipeline: PosePipeline, images: Sequence[Frame], interval: int | None
) -> tuple[list[Poses], float, float]:
    """Poses of each image, the part that the detector detected at, and images a second."""
    pipeline.reset()
    pipeline.tracker.settings = replace(pipeline.tracker.settings, detect_every=interval)
    found, detections, start_s = [], 0, 0.0
    for index, frame in enumerate(images):
        if index == WARM_UP:
            start_s = time.perf_counter()
        detections += pipeline.tracker.needs_detection(frame.time_s)
        found.append(pipeline.process(frame.image_bgr, frame.time_s))
    seconds = time.perf_counter() - start_s
    return found, detections / len(images), (len(images) - WARM_UP) / seconds


def _likeness(truth: Sequence[Poses], found: Sequence[Poses]) -> tuple[float, float]:
    """F1 of the people in both, and the mean OKS of those."""
    pairs = [list(_alike(*both)) for both in zip(truth, found, strict=True)]
    alike = [one for frame in pairs for one in frame]
    people = sum(map(len, truth)) + sum(map(len, found))
    return 2 * len(alike) / max(people, 1), float(np.mean(alike)) if alike else float("nan")


def _alike(truth: Poses, found: Poses) -> Iterator[float]:
    if not (len(truth) and len(found)):
        return
    first, second = (_counted(poses) for poses in (truth, found))
    areas_px2 = np.prod(found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2], axis=1)
    sigmas = np.array(found.skeleton.sigmas_or_middling)
    likeness = oks(first, second, areas_px2, sigmas, np.ones((len(first), len(second)), dtype=bool))
    for row, column in zip(*assign(likeness, SAME_OKS), strict=True):
        yield float(likeness[row, column])


def _counted(poses: Poses) -> NDArray[np.float64]:
    return np.where((poses.keypoint_scores >= LEAST_SCORE)[..., None], poses.keypoints_xy, np.nan)


def markdown(rows: Sequence[Measured]) -> str:
    """The table for a document."""
    return markdown_table(HEADINGS, [row.cells() for row in rows], 2)


def plot(rows: Sequence[Measured], path: Path) -> None:
    """Agreement and OKS against the part of frames detected at; a star is the adaptive interval."""
    figure, panels = figure_with(2)
    labels = {"agreement": "people as at every frame", "oks": "OKS with them"}
    for panel, (name, label) in zip(panels, labels.items(), strict=True):
        for clip in dict.fromkeys(row.clip for row in rows):
            own = sorted((row for row in rows if row.clip == clip), key=lambda row: row.detected)
            fixed = [row for row in own if row.interval is not None]
            detected, values = zip(
                *((row.detected, getattr(row, name)) for row in fixed), strict=True
            )
            line = panel.plot(detected, values, ".-", label=clip)[0]
            for row in own:
                if row.interval is None:
                    star = row.detected, getattr(row, name)
                    panel.plot(*star, "*", ms=12, color=line.get_color())
        panel.set_xlabel("part of the frames that the detector detected at")
        panel.set_title(label)
    panels[0].legend(fontsize=7)
    save(figure, path)
