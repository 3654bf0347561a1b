"""A frame: one picture with its time."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livepose.errors import UsageError

ImageBgr = NDArray[np.uint8]
"""A colour picture, (H, W, 3), blue first as OpenCV has it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a source.

    ``time_s`` is the time of the picture: capture time (monotonic, from the first frame) for a
    camera, presentation time for a file. 0.0 is a time like any other. ``captured_s`` is
    ``time.perf_counter()`` at capture for live sources, None for files. ``dropped`` counts the
    frames that the source let go since the one before. ``name`` is the file of a still picture.

    The pixels of ``image_bgr`` are square. Where those of the source are not (anamorphic video),
    ``scale_xy`` is the size of the image divided by that in the source's own pixels.
    """

    image_bgr: ImageBgr
    time_s: float
    index: int
    captured_s: float | None = None
    dropped: int = 0
    name: str | None = None
    scale_xy: tuple[float, float] = (1.0, 1.0)

    @property
    def unix_s(self) -> float | None:
        """The wall clock's time of the capture; None for files."""
        if self.captured_s is None:
            return None
        return time.time() - (time.perf_counter() - self.captured_s)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.image_bgr.shape[:2]
        return width, height


def check_image(image_bgr: ImageBgr) -> None:
    """Refuses whatever is not a colour picture of bytes.

    Raises
    ------
    UsageError
        Says what was expected and what came.
    """
    shape, kind = np.shape(image_bgr), getattr(image_bgr, "dtype", type(image_bgr))
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
        raise UsageError(f"image_bgr: expected uint8 of shape (H, W, 3), got {kind} {shape}")
