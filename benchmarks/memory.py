"""Does memory stay flat? ``python -m benchmarks.memory --frames 108000`` is an hour at 30 fps.

The whole way of a frame with drawing and JSON, while people come and go so that ids never repeat;
only the two networks are stand-ins, which answer at once (``--real`` takes the real ones). Memory
is the resident set, sampled every so often. Warm-up, a tenth of the frames, is kept apart.
"""

import argparse
import json
import os
import resource
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from livepose.detection import Detections, Detector
from livepose.frame import Frame, ImageBgr
from livepose.heatmaps import encode_dark
from livepose.pipeline import PosePipeline
from livepose.player import Player
from livepose.poses import Poses
from livepose.sinks.jsonl import JsonLinesSink
from livepose.sinks.sink import Sink
from livepose.sources.source import Source

FPS = 30.0
STAY_S = 5.0
SAMPLES = 200
PAGE_MB = resource.getpagesize() / 2**20


class Passers(Source):
    """A grey image through which people walk; each is there for a few seconds. A ``Source``."""

    fps = FPS
    frame_count: int
    name = "passers-by"

    def __init__(self, frames: int, at_once: int, size_wh: tuple[int, int] = (640, 480)) -> None:
        self.frame_count, self.size_wh, self._at_once = frames, size_wh, at_once
        self.newest_s = 0.0

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.frame_count):
            # An image of its own for each frame, as a decoder hands out.
            image_bgr = np.full((self.size_wh[1], self.size_wh[0], 3), 90, dtype=np.uint8)
            self.newest_s = index / FPS
            yield Frame(image_bgr, self.newest_s, index)

    def boxes_xyxy(self, time_s: float) -> np.ndarray:
        """Where everybody is, (P, 4); somebody leaves and somebody comes all the time."""
        width, height = self.size_wh
        lane = width / self._at_once
        turns = time_s / STAY_S + np.arange(self._at_once) / self._at_once
        part = turns % 1.0
        here = part < 0.6  # long enough apart to be two people
        left = np.arange(self._at_once) * lane + 0.1 * lane + 0.2 * lane * part
        boxes = np.stack([left, left * 0 + 0.2 * height, left + 0.6 * lane, left * 0 + height], 1)
        return boxes[here]


class ByScript(Detector):
    """Stands for the detector: knows where everybody is."""

    name = "script"

    def __init__(self, passers: Passers) -> None:
        self._passers = passers

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        """The people of the newest frame, which is a few ahead of the one that is looked at."""
        boxes = self._passers.boxes_xyxy(self._passers.newest_s)
        return [Detections(boxes, np.full(len(boxes), 0.9)) for _ in images_bgr]


class OneAnswer:
    """Stands for the pose network: everybody stands the same way."""

    def __init__(self, runtime: Any) -> None:
        self.name, self.device, self.precision = "stand-in", runtime.device, runtime.precision
        self.card = runtime.card
        height, width = self.card.heatmap_hw
        joints = self.card.keypoints
        places = np.random.default_rng(0).uniform((6, 6), (width - 6, height - 6), (joints, 2))
        targets = encode_dark(places, np.ones(joints), (height, width), 1.5).targets
        self._heatmaps = targets.astype(np.float32)[None]

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        """Heatmaps of that pose."""
        return np.repeat(self._heatmaps, len(crops_bgr), axis=0)

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Nothing to do."""


class Unseen(Sink):
    """Wants everything drawn, and keeps nothing."""

    needs_drawing = True

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Looks away."""


def resident_mb() -> float:
    """Memory of this process at this moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB


def measure(frames: int, at_once: int = 6, real: bool = False, **settings: Any) -> dict[str, Any]:
    """Plays so many frames; the growth of memory after warm-up, in parts of what it was."""
    pipeline = PosePipeline(detector="embedded" if real else "none", **settings)
    passers = Passers(frames, at_once)
    if not real:
        pipeline.estimator.runtime = OneAnswer(pipeline.estimator.runtime)
        pipeline.tracker.settings = replace(pipeline.tracker.settings, whole_frame=False)
        pipeline.detector = ByScript(passers)
    samples: list[tuple[int, float]] = []
    highest_id, every = 0, max(1, frames // SAMPLES)

    def note(frame: Frame, poses: Poses, fps: float) -> None:
        nonlocal highest_id
        highest_id = max(highest_id, int(poses.track_ids.max(initial=0)))
        if frame.index % every == 0:
            samples.append((frame.index, resident_mb()))

    sinks: list[Sink] = [Unseen(), JsonLinesSink(os.devnull, {})]
    summary = Player(pipeline, passers, sinks, progress=note).play()
    steady = [megabytes for index, megabytes in samples if index >= frames // 10]
    tenth = max(1, len(steady) // 10)
    first, last = np.median(steady[:tenth]), np.median(steady[-tenth:])
    return {
        "frames": summary.frames,
        "people_in_all": highest_id,
        "fps": round(summary.fps, 1),
        "after_warm_up_mb": round(float(first), 1),
        "at_the_end_mb": round(float(last), 1),
        "growth": round(float(last / first - 1), 4),
    }


def main() -> None:
    """Measures and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=108_000)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--real", action="store_true", help="with the real networks")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.frames, arguments.people, arguments.real), indent=2))


if __name__ == "__main__":
    main()
