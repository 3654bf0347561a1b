"""Pictures in memory, as encoded bytes or decoded once; every one is decoded at the start.

A picture that cannot be decoded, or has another size than its annotation says, is found before
the first step and not after three days.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from livepose.errors import DataError
from livepose.frame import ImageBgr

CACHES = ("decoded", "encoded")


@dataclass(frozen=True)
class PictureSource:
    """Where one picture comes from; ``read`` gives its encoded bytes, ``size_wh`` is promised."""

    file: str
    identity: str
    size_wh: tuple[int, int]
    read: Callable[[], bytes]


def decode(encoded: bytes | np.ndarray[Any, Any]) -> ImageBgr | None:
    """A colour picture (H, W, 3) from encoded bytes; None where they are no picture."""
    buffer = np.frombuffer(encoded, np.uint8) if isinstance(encoded, bytes) else encoded
    if buffer.size == 0:
        return None
    try:
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.asarray(image, dtype=np.uint8)


class Pictures:
    """Numbered pictures, kept decoded (fast, about 0.3 MB each) or encoded (small)."""

    def __init__(self, sources: Sequence[PictureSource], cache: str = "decoded") -> None:
        if cache not in CACHES:
            raise ValueError(f"cache: expected one of {CACHES}, got {cache!r}")
        self.sources = list(sources)
        self._keep_decoded = cache == "decoded"
        self._kept: list[Any] = [None] * len(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def adopt(self, parts: Sequence["Pictures"]) -> None:
        """Take over what ``parts``, whose pictures these are in order, have loaded."""
        self._keep_decoded = all(part._keep_decoded for part in parts)
        self._kept = [kept for part in parts for kept in part._kept]

    def select(self, indices: Sequence[int]) -> "Pictures":
        """These pictures alone, with what was loaded of them."""
        chosen = Pictures([self.sources[index] for index in indices])
        chosen._keep_decoded = self._keep_decoded
        chosen._kept = [self._kept[index] for index in indices]
        return chosen

    def load(self, workers: int = 2) -> dict[int, tuple[str, str]]:
        """Read and decode every picture; returns ``{index: (kind, detail)}`` of the bad ones."""
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(self._load_one, range(len(self.sources))))
        return {index: problem for index, problem in enumerate(found) if problem is not None}

    def _load_one(self, index: int) -> tuple[str, str] | None:
        source = self.sources[index]
        try:
            encoded = source.read()
        except DataError as error:
            return "unreadable picture", str(error)
        image = decode(encoded)
        if image is None:
            return "undecodable picture", f"{len(encoded)} bytes are no picture"
        height, width = image.shape[:2]
        if (width, height) != source.size_wh:
            wanted = "{} x {}".format(*source.size_wh)
            return "picture of another size", f"expected {wanted}, got {width} x {height}"
        self._kept[index] = image if self._keep_decoded else np.frombuffer(encoded, np.uint8)
        return None

    def image_bgr(self, index: int) -> ImageBgr:
        """One picture, (H, W, 3) uint8; not to be written to.

        Raises
        ------
        DataError
            When it cannot be decoded (``load`` says so beforehand).
        """
        if self._kept[index] is None:
            problem = self._load_one(index)
            if problem is not None:
                source = self.sources[index]
                raise DataError(f"{problem[0]}: {source.file}, {source.identity}: {problem[1]}")
        kept = self._kept[index]
        image = kept if self._keep_decoded else decode(kept)
        return np.asarray(image, dtype=np.uint8)
