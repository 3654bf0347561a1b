"""PyAV, which may be missing, and OpenCV, which is told when to be quiet.

OpenCV is loaded first: PyAV brings X libraries of its own, with which OpenCV's windows hang.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2

from livepose.errors import SourceError


class Absent:
    """In the place of PyAV: cameras and pictures need none of it, whoever does is told so."""

    def __init__(self, reason: ImportError) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        raise SourceError(
            f"videos and network streams need PyAV, which cannot be imported ({self._reason}); "
            "install it with 'pip install av'"
        )


av: Any
try:
    import av as package
except ImportError as error:
    av = Absent(error)
else:
    av = package


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Inside the block OpenCV logs nothing: livepose says the same in one sentence."""
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
