"""The picture that is drawn into: checked once, and laid out as the kernels want it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from livepose.errors import UsageError
from livepose.frame import ImageBgr


def check_colour_image(image_bgr: ImageBgr) -> None:
    """Raises UsageError unless this is a uint8 picture of shape (H, W, 3)."""
    if image_bgr.ndim != 3 or image_bgr.shape[2] != 3 or image_bgr.dtype != np.uint8:
        raise UsageError(
            "a picture to draw on: expected uint8 of shape (H, W, 3), blue first, "
            f"got {image_bgr.dtype} of shape {image_bgr.shape}; "
            "convert a grey one with cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)"
        )


@contextmanager
def on_canvas(image_bgr: ImageBgr) -> Iterator[ImageBgr]:
    """The picture itself, or, where it is a mirrored or strided view, a copy that is put back."""
    check_colour_image(image_bgr)
    if not image_bgr.flags.writeable:
        raise UsageError("a picture to draw on: expected a writable array; draw on image.copy()")
    canvas = np.ascontiguousarray(image_bgr)
    yield canvas
    if canvas is not image_bgr:
        image_bgr[...] = canvas
