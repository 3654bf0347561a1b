"""Stand-ins for the two networks, so that the loop can be tested without them.

The detector finds the white rectangle that a test draws; the runtime puts every keypoint at its
place within that rectangle. Everything between them is the real thing. Run as a program this is
livepose with the stand-ins.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livepose.detection import Detections, Detector, TwoScales
from livepose.frame import Frame, ImageBgr
from livepose.heatmaps import encode_dark
from livepose.pipeline import PosePipeline
from livepose.sources import Source
from livepose.weights import Card
from livepose.window import Command

PROGRAM = [sys.executable, __file__]
CARD = Card("hrnet_w32", (128, 96), source="a test", licence="none", sha256="0" * 64)
NOBODY = Detections(np.empty((0, 4)), np.empty(0))
# Keypoints in heatmap cells of 24 x 32: a standing person, face at the top.
STANDING_XY = np.array(
    [
        *((12, 5), (12.5, 4.5), (11.5, 4.5), (13, 5), (11, 5), (15, 9), (9, 9), (16, 13), (8, 13)),
        *((16, 16), (8, 16), (14, 17), (10, 17), (14, 22), (10, 22), (14, 27), (10, 27)),
    ],
    dtype=np.float64,
)


class FakeRuntime:
    """Sees a standing person where a crop shows the white rectangle, and nobody elsewhere."""

    name = "fake"
    device = "cpu"
    precision = "f32"
    card = CARD

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        maps = [self._maps(crop) for crop in crops_bgr]
        return np.stack(maps).astype(np.float32) if maps else np.empty((0, 17, 32, 24), "f4")

    def _maps(self, crop_bgr: np.ndarray) -> np.ndarray:
        rows, columns = np.nonzero(crop_bgr[..., 0] > 135)  # half way between dark and white
        if len(rows) == 0:
            return np.zeros((17, 32, 24))
        low = np.array([columns.min(), rows.min()])
        high = np.array([columns.max(), rows.max()])
        centre, size = (low + high) / 2, high - low + 1
        # The whole of a 60 x 120 box takes 51.2 x 102.4 px of its own crop.
        input_xy = centre + (4 * STANDING_XY + 1.5 - (47.5, 63.5)) * size / (51.2, 102.4)
        return encode_dark((input_xy - 1.5) / 4, np.ones(17), (32, 24), 1.0).targets

    def warm_up(self, batch_sizes: Sequence[int]) -> None:
        """Nothing to warm up."""


class FakeDetector(Detector):
    """Finds the white rectangle."""

    name = "fake detector"

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        self.calls += 1
        return [self._find(image) for image in images_bgr]

    def _find(self, image_bgr: ImageBgr) -> Detections:
        rows, columns = np.nonzero(image_bgr[..., 0] > 200)
        if len(rows) == 0:
            return NOBODY
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        return Detections(np.array([box], dtype=np.float64), np.array([0.9]))


class FarSightedDetector(FakeDetector):
    """Finds the white rectangle only at the second scale."""

    name = "far-sighted detector"

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[bool] = []

    def __call__(self, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
        return [NOBODY for _ in images_bgr]

    def both_scales(self, image_bgr: ImageBgr, wait: bool, square: bool = False) -> TwoScales:
        """The white rectangle, as somebody small; notes whether there was time to wait."""
        self.waits.append(wait)
        found = self._find(image_bgr)
        return TwoScales(found, len(found))


def scene_image(left: int = 100, size_wh: tuple[int, int] = (320, 240)) -> ImageBgr:
    """A dark image with one white "person" of 60 x 120 px."""
    image = np.full((size_wh[1], size_wh[0], 3), 40, dtype=np.uint8)
    image[60:180, left : left + 60] = 230
    return image


def clip(path: Path, start: int = 60, frames: int = 12) -> Path:
    """A file in which the white rectangle goes to the right."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(scene_image(start + 2 * index), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@dataclass
class FakeSource(Source):
    """Frames that a test made."""

    frames: list[Frame]
    name: str = "fake.mp4"
    live: bool = False
    fps: float | None = 30.0
    size_wh: tuple[int, int] = (320, 240)
    closed: int = 0
    error: BaseException | None = None

    @property
    def frame_count(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        yield from self.frames
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def walking(count: int, fps: float = 30.0, start: int = 60, **options: Any) -> FakeSource:
    """``count`` frames of a person who moves two pixels a frame."""
    frames = [Frame(scene_image(start + 2 * index), index / fps, index) for index in range(count)]
    return FakeSource(frames, **options)


@pytest.fixture
def make_pipeline(monkeypatch: pytest.MonkeyPatch) -> Callable[..., PosePipeline]:
    """Makes pipelines whose two networks are the stand-ins."""

    def open_detector(name: str = "auto", *_: object, **__: object) -> FakeDetector | None:
        return None if name == "none" else FakeDetector()

    monkeypatch.setattr("livepose.pipeline.open_runtime", lambda *_, **__: FakeRuntime())
    monkeypatch.setattr("livepose.pipeline.open_detector", open_detector)
    return PosePipeline


class FakeWindow:
    """Shows nothing and presses the keys of a script: {number of the image: command}."""

    def __init__(self, script: dict[int, list[Command]] | None = None) -> None:
        self.shown: list[ImageBgr] = []
        self._script = script or {}

    def show(self, image_bgr: ImageBgr) -> None:
        self.shown.append(image_bgr)

    def poll(self) -> list[Command]:
        return self._script.pop(len(self.shown), [])

    def close(self) -> None:
        """Nothing to close."""


if __name__ == "__main__":
    from livepose import pipeline
    from livepose.cli import main

    pipeline.open_runtime = lambda *_, **__: FakeRuntime()
    pipeline.open_detector = lambda *_, **__: FakeDetector()
    sys.exit(main())
