"""Several people in real clips: what nobody has placed there for a benchmark.

A clip is decoded and scaled to 480 lines before the clock starts, and shown there and back again.
Where the clips are not on this machine, the packaged photographs of people stand in, each as a clip
that pans over it.
"""

import logging
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.baseline_rounds import measure_at, open_all
from benchmarks.baselines import shared_folder
from benchmarks.baselines.entries import ENTRIES
from benchmarks.plan import Plan
from benchmarks.rounds import Livepose
from livepose.benchmark.scene import FPS, load_photograph
from livepose.frame import Frame, ImageBgr
from livepose.sources import open_video

logger = logging.getLogger(f"livepose.{__name__}")

CLIPS = (
    "webcam/gesture_man_hoodie.mkv",
    "sport/aerobics_three.mp4",
    "pedestrians.mp4",
    "crossing_with_audio.mp4",
    # Two that nothing was tuned on:
    "walk_with_audio.mp4",
    "webcam/seated_four.mp4",
)
PHOTOGRAPHS = ("bus.jpg", "zidane.jpg")
LINES = 480
PAN_PX = 2
CONTESTANTS = (
    *("livepose", "yolo", "yolo_openvino", "yolo_int8"),
    *("yolo26", "yolo26_openvino", "yolo26_int8"),
)


def measure_clips(plan: Plan) -> dict[str, Any]:
    """Everybody on every clip; how often livepose's detector ran is counted."""
    entries = [entry for entry in ENTRIES if entry.key in CONTESTANTS]
    measured: dict[str, Any] = {}
    titles: dict[str, str] = {}
    absent: dict[str, Any] = {}
    for name, frames in clips(plan.scene_frames).items():
        logger.info(f"clip {name}")
        opened, absent = open_all(len(frames), entries, plan)
        rows = measure_at(0, frames, opened, plan)
        titles |= {entry.key: entry.title for entry, _ in opened}
        for entry, one in opened:
            if isinstance(one.system, Livepose):
                rows[entry.key]["detected_percent"] = one.system.detected_percent()
        measured[name] = rows
    return {"clips": measured, "titles": titles, "absent": absent}


def clips(count: int) -> dict[str, list[Frame]]:
    """The clips by name, so many frames of each."""
    folder = shared_folder()
    there = [] if folder is None else [folder / "video" / name for name in CLIPS]
    found = {path.stem: of_clip(path, count) for path in there if path.is_file()}
    return found or {Path(name).stem: panned(load_photograph(name), count) for name in PHOTOGRAPHS}


def of_clip(path: Path, count: int) -> list[Frame]:
    """The first frames of a clip, scaled."""
    with open_video(path) as source:
        taken = list(islice(source, count))
    return [Frame(scaled(one.image_bgr), one.time_s, one.index) for one in taken]


def panned(photograph_bgr: ImageBgr, count: int) -> list[Frame]:
    """A photograph as a clip: the camera goes slowly from the left to the right."""
    image_bgr = scaled(photograph_bgr)
    width = image_bgr.shape[1] - min(PAN_PX * count, image_bgr.shape[1] // 4)
    room = image_bgr.shape[1] - width
    lefts = np.linspace(0, room, count).astype(int)
    groups = (np.ascontiguousarray(image_bgr[:, left : left + width]) for left in lefts)
    return [Frame(cut, index / FPS, index) for index, cut in enumerate(groups)]


def scaled(image_bgr: ImageBgr) -> ImageBgr:
    """480 lines, in the same shape."""
    height, width = image_bgr.shape[:2]
    size_wh = (2 * round(width * LINES / height / 2), LINES)
    return np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)
