"""Pictures on a device: uploaded once, read by the detector and the pose network alike.

All pictures of the moment, of whatever sizes and streams, lie in one run of pixels that does not
move while it is large enough: a recorded graph can name places in it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from livepose.crops.taps import Taps
from livepose.runtimes.cuda_graph import CudaStream

Image = NDArray[np.uint8]
Tables = tuple[Tensor, Tensor, Tensor, Tensor]
"""Rows, columns, row weights and column weights of ``Taps``, on a device."""


class DeviceFrames:
    """Room for pictures on a device, and the pictures that are there.

    ``pixels``, uint8 (capacity, 3), are on the device; blue first, row after row, picture after
    picture. ``moved`` is how often they had to be made anew, larger: recordings that name them are
    void then.
    """

    def __init__(self, stream: CudaStream) -> None:
        self.stream = stream
        self.moved = 0
        self._make_room(1)
        self._there: list[tuple[Image, int]] = []

    def upload(self, images_bgr: Sequence[Image]) -> list[int]:
        """Sends pictures, uint8 (H, W, 3), that are not there yet; the place of each one's start.

        The copy is under way when this returns; work on the stream comes after it. A picture is
        known by the array that holds it: call ``forget`` before its contents change.
        """
        there = {id(image): start for image, start in self._there}
        if all(id(image) in there for image in images_bgr):
            return [there[id(image)] for image in images_bgr]
        return self._send(images_bgr)

    def forget(self) -> None:
        """The pictures may change from here on: whatever comes next is sent anew."""
        self._there.clear()

    def _send(self, images_bgr: Sequence[Image]) -> list[int]:
        sizes = [image.shape[0] * image.shape[1] for image in images_bgr]
        ends = np.cumsum(sizes)
        self._there.clear()
        if ends[-1] > len(self.pixels):
            self._make_room(int(ends[-1]))
        starts = [int(end) - size for end, size in zip(ends, sizes, strict=True)]
        for image, start, size in zip(images_bgr, starts, sizes, strict=True):
            self._on_host[start : start + size].reshape(image.shape)[:] = image
        self.copy(int(ends[-1]))
        self._there.extend(zip(images_bgr, starts, strict=True))
        return starts

    def copy(self, pixels: int) -> None:
        """Queues the upload of the first ``pixels`` that lie ready on the host."""
        with self.stream:
            self.pixels[:pixels].copy_(self._pinned[:pixels], non_blocking=True)

    def _make_room(self, pixels: int) -> None:
        self.pixels = self.stream.zeros((pixels, 3), torch.uint8)
        self._pinned = self.stream.pinned((pixels, 3), torch.uint8)
        self._on_host: Image = self._pinned.numpy()
        self.moved += 1


class TapBuffers:
    """Tables of taps on the host and on the device, in one run of memory: one copy sends them."""

    def __init__(
        self, stream: CudaStream, crops: int, input_hw: tuple[int, int], samples: int
    ) -> None:
        shapes = [(crops, side, 2 * samples) for side in input_hw] * 2
        sizes = [int(np.prod(shape)) for shape in shapes]
        self._host = stream.pinned((sum(sizes),), torch.int32)
        self._device = stream.zeros((sum(sizes),), torch.int32)
        types = (torch.int32, torch.int32, torch.float32, torch.float32)

        def views(memory: Tensor) -> Tables:
            parts = zip(torch.split_with_sizes(memory, sizes), shapes, types, strict=True)
            first, second, third, fourth = (
                part.view(*shape).view(kind) for part, shape, kind in parts
            )
            return first, second, third, fourth

        self.taps = Taps(*(view.numpy() for view in views(self._host)))
        self.tensors = views(self._device)

    def send(self) -> None:
        """Queues the copy to the device; inside ``with stream``."""
        self._device.copy_(self._host, non_blocking=True)


def gather(pixels: Tensor, tables: Tables, background: float = 0.0) -> Tensor:
    """Crops uint8 (B, h, w, 3) out of pixels uint8 (N, 3), rounded to the nearest byte.

    Output pixel (y, x) is the sum over its taps of row weight, column weight and the pixel at row
    place plus column place. Rows (B, h, T) and columns (B, w, T) are those of
    ``livepose.crops.taps``, and sums are taken in the order of the kernels there (row taps in
    pairs, then column taps one by one), in float32: on the processor the bytes are the same.
    Where taps weigh nothing at all there is ``background``.
    """
    rows, columns, row_weights, column_weights = tables
    lines = torch.zeros((), device=pixels.device)
    for tap in range(0, rows.shape[2], 2):
        near, far = (_weighed(pixels, tables, side) for side in (tap, tap + 1))
        lines = lines + (near + far)
    weights = column_weights[:, None, :, :, None]
    total = torch.zeros((), device=pixels.device)
    for tap in range(columns.shape[2]):
        total = total + weights[:, :, :, tap] * lines[:, :, :, tap]
    total = total + 0.5
    if background:
        covered = row_weights.sum(2)[:, :, None] * column_weights.sum(2)[:, None]
        total = total + (background * (1.0 - covered))[..., None]
    return total.clamp_(max=255.0).to(torch.uint8)


def _weighed(pixels: Tensor, tables: Tables, tap: int) -> Tensor:
    """The pixels of one row tap, at every column tap, times its weight: (B, h, w, T, 3)."""
    rows, columns, row_weights, _ = tables
    places = rows[:, :, None, None, tap] + columns[:, None]
    seen = pixels.index_select(0, places.flatten()).view(*places.shape, 3)
    return row_weights[:, :, None, None, None, tap] * seen
