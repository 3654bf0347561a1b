"""What every source offers."""

from collections.abc import Iterator
from typing import Literal, Protocol, Self

import cv2
import numpy as np

from livepose.closable import Closable
from livepose.errors import UsageError
from livepose.frame import Frame, ImageBgr

Kind = Literal["camera", "url", "video", "images"]

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class Source(Protocol):
    """Frames, one after another. A source is iterated once, and closed by ``with`` or ``close``.

    Attributes
    ----------
    name : str
        What messages call it; a password in an address is masked.
    kind : {"camera", "url", "video", "images"}
    live : bool
        Whether frames come at their own pace and are lost when nobody takes them.
    size_wh : tuple of int
        Width and height of the newest frame in pixels, after rotation.
    scale_xy : tuple of float
        That size divided by the one in the source's own pixels: more than 1 on one axis where
        those are not square.
    fps : float or None
        Frames a second, from the header for files and measured for live sources.
    frame_count : int or None
        An estimate for files, the number of pictures for images, None for live sources.
    """

    name: str
    kind: Kind
    live: bool

    @property
    def size_wh(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def scale_xy(self) -> tuple[float, float]: ...  # noqa: D102
    @property
    def fps(self) -> float | None: ...  # noqa: D102
    @property
    def frame_count(self) -> int | None: ...  # noqa: D102
    def __iter__(self) -> Iterator[Frame]: ...
    def close(self) -> None:
        """Lets go of the device or file; a second call does nothing."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Closing(Closable):
    """A source with square pixels, unless it says otherwise."""

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Size of the newest frame divided by that in the source's own pixels."""
        return 1.0, 1.0


def check_rotation(rotate: int) -> int:
    """``rotate`` itself when it is 0, 90, 180 or 270 degrees, else a UsageError."""
    if rotate not in (0, *_TURNS):
        raise UsageError(f"rotate: expected 0, 90, 180 or 270 degrees, got {rotate}")
    return rotate


def turned(image_bgr: ImageBgr, clockwise_deg: int) -> ImageBgr:
    """The picture turned clockwise by a multiple of 90 degrees; itself for 0."""
    turn = _TURNS.get(clockwise_deg % 360)
    return image_bgr if turn is None else np.asarray(cv2.rotate(image_bgr, turn))


def turned_size(size_wh: tuple[int, int], clockwise_deg: int) -> tuple[int, int]:
    """Width and height of a picture of ``size_wh`` after that turn."""
    return size_wh[::-1] if clockwise_deg % 180 else size_wh
