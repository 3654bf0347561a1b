"""What turns cost: ``python -m benchmarks.price --video FILE``.

Plays a film three ways: everybody in every frame, and with room for a half and for a third of the
people that are there. The price is how far the keypoints of a person that were carried on by the
box lie from those of the full run, in px and in parts of the person's box (root of its area).
"""

import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from livepose.budget import Costs
from livepose.pipeline import PosePipeline
from livepose.poses import KeypointState, Poses
from livepose.sources import open_source

MEASURED = (int(KeypointState.SEEN), int(KeypointState.WEAK))
SCORE = 0.3
"""Keypoints that score less in the full run tremble by themselves and are left out."""


class Shares(Costs):
    """A machine on which a part of the people fits into a frame, and a detection always does."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self._parts = parts

    def most_crops(self, count: int, budget_s: float) -> int:
        """That part of them, rounded up."""
        return -(-count // self._parts)

    def learn_detection(self, took_s: float) -> None:
        """Detections cost nothing here."""


def play(pipeline: PosePipeline, video: Path, frames: int, parts: int) -> list[Poses]:
    """The poses of the first frames, with that part of the people in each."""
    pipeline.scheduler.costs = Shares(parts)
    run = pipeline.run(open_source(video))
    found = [poses for _, poses in islice(run, frames)]
    run.close()
    return found


def differences(full: list[Poses], held: list[Poses], carried: bool) -> np.ndarray:
    """Distances of keypoints of the same person in the same frame, (N, 2): px, parts of the box."""
    rows = []
    for one, other in zip(full, held, strict=True):
        same = one.track_ids[:, None] == other.track_ids
        for a, b in zip(*same.nonzero(), strict=True):
            was_carried = not np.isin(other.keypoint_states[b], MEASURED).any()
            apart = np.linalg.norm(one.keypoints_xy[a] - other.keypoints_xy[b], axis=1)
            apart = apart[(one.keypoint_scores[a] >= SCORE) & np.isfinite(apart)]
            left, top, right, bottom = one.boxes_xyxy[a]
            scale_px = np.sqrt(max((right - left) * (bottom - top), 1.0))
            if was_carried == carried:
                rows.append(np.stack([apart, apart / scale_px], axis=1))
    return np.concatenate(rows) if rows else np.empty((0, 2))


def figures(rows: np.ndarray) -> dict[str, float]:
    """Median and 95th percentile, in px and in parts of the box."""
    if not len(rows):
        return {"keypoints": 0}
    p50, p95 = np.percentile(rows, [50, 95], axis=0)
    names = ("median_px", "median_of_box", "p95_px", "p95_of_box")
    values = dict(zip(names, (*p50, *p95), strict=True))
    return {"keypoints": len(rows), **{name: round(float(v), 4) for name, v in values.items()}}


def main() -> None:
    """Measures and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=120)
    arguments = parser.parse_args()
    # A limit that is never reached: the budget is on, and the shares alone decide.
    pipeline = PosePipeline(detector="embedded", max_latency_ms=1e9)
    full = play(pipeline, arguments.video, arguments.frames, 1)
    told: dict[str, Any] = {
        "people_a_frame": round(float(np.mean([len(poses) for poses in full])), 2)
    }
    for parts in (2, 3):
        held = play(pipeline, arguments.video, arguments.frames, parts)
        told[f"1/{parts} in a frame"] = {
            "carried": figures(differences(full, held, carried=True)),
            "measured": figures(differences(full, held, carried=False)),
        }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
