"""Detection networks on CUDA: letterbox, network and the best candidates as one recorded graph.

The frame is uploaded once and shared with the pose network (``DeviceFrames``). It is fitted into
the input on the GPU, and of the thousands of candidates only those come back that can be people:
one small copy, one wait.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.detection.letterbox import GREY, Letterbox
from livepose.detection.protocol import Predictions
from livepose.frame import ImageBgr
from livepose.runtimes.batches import padded_slices
from livepose.runtimes.cuda_graph import CudaGraph, device_errors
from livepose.runtimes.eager import channels_last
from livepose.runtimes.frames import DeviceFrames, TapBuffers, gather

BATCH_SIZES = (1, 2, 4, 8)
SHAPES_KEPT = 8
"""Recorded shapes that are remembered, then the oldest goes; a stream needs one, or two."""
CANDIDATES = 1024
"""So many of the surest people come back; non-maximum suppression then keeps at most 300."""

Axis = tuple[NDArray[np.int64], NDArray[np.float32]]


class CudaEngine:
    """Runs the network as recorded graphs, in half precision on CUDA.

    ``model`` takes RGB (B, 3, h, w), 0 to 1; ``person`` is the index of that class, and ``frames``
    is where pictures are uploaded.
    """

    input_wh: tuple[int, int] | None = None

    def __init__(self, model: nn.Module, person: int, frames: DeviceFrames) -> None:
        self.frames = frames
        self.name = f"CUDA graphs on {frames.stream.device}"
        dtype = torch.float16 if frames.stream.device.type == "cuda" else torch.float32
        self.network = channels_last(SurestPeople(model, person))
        self.network.to(frames.stream.device, dtype)
        self._slots: dict[tuple[int, tuple[int, int]], LetterboxSlot] = {}
        self._recorded_at = frames.moved

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for letterboxed pictures, see ``protocol``."""
        size_wh = (pictures_bgr.shape[2], pictures_bgr.shape[1])
        whole = Letterbox.into(size_wh, size_wh)
        return self.see(list(pictures_bgr), [whole] * len(pictures_bgr))

    def see(
        self,
        images_bgr: Sequence[ImageBgr],
        letterboxes: Sequence[Letterbox],
        again: bool = False,
    ) -> Predictions:
        """Predictions for these pictures, (H, W, 3), in letterboxes of one input size.

        Where they are those of the call before (``again``), they are not uploaded a second time.
        DeviceError when the GPU's memory does not suffice.
        """
        if not again:
            self.frames.forget()  # a new picture may lie in the array of an old one
        width, height = letterboxes[0].source_wh
        doing = f"while looking for people in {len(images_bgr)} pictures of {width}x{height}"
        lower = "lower --detector-size, play fewer sources at once"
        with device_errors(str(self.frames.stream.device), doing, lower):
            starts = self.frames.upload(images_bgr)
            parts = []
            for part in padded_slices(len(images_bgr), BATCH_SIZES):
                of_slice = slice(part.start, part.stop)
                slot = self._slot(part.size, letterboxes[0].input_wh)
                parts.append(slot.run(starts[of_slice], letterboxes[of_slice]))
        return np.concatenate(parts)

    def _slot(self, size: int, input_wh: tuple[int, int]) -> "LetterboxSlot":
        if self._recorded_at != self.frames.moved:
            self._slots.clear()  # they read where the pictures were
            self._recorded_at = self.frames.moved
        key = (size, input_wh)
        if key not in self._slots:
            if len(self._slots) >= SHAPES_KEPT:
                self._slots.pop(next(iter(self._slots)))
            self._slots[key] = LetterboxSlot(self.network, self.frames, size, input_wh)
        return self._slots[key]


class LetterboxSlot:
    """The graph for one batch size and one input size, and its buffers."""

    def __init__(
        self, network: nn.Module, frames: DeviceFrames, size: int, input_wh: tuple[int, int]
    ) -> None:
        self._stream = stream = frames.stream
        self._tables = tables = TapBuffers(stream, size, (input_wh[1], input_wh[0]), 1)
        pixels = frames.pixels
        self._recording = CudaGraph(
            stream, lambda: network(gather(pixels, tables.tensors, background=GREY))
        )
        self._kept = made_tensors(network)
        output = self._recording.output
        self._result = stream.pinned(tuple(output.shape), torch.float32)

    def run(self, starts: Sequence[int], letterboxes: Sequence[Letterbox]) -> Predictions:
        """Predictions for the pictures that start at these places."""
        taps = self._tables.taps
        for n, (start, letterbox) in enumerate(zip(starts, letterboxes, strict=True)):
            (rows, row_weights), (columns, column_weights) = letterbox_taps(letterbox)
            taps.rows[n] = start + rows * letterbox.source_wh[0]
            taps.row_weights[n] = row_weights
            taps.columns[n], taps.column_weights[n] = columns, column_weights
        with self._stream:
            self._tables.send()
            self._recording.run()
            self._result.copy_(self._recording.output, non_blocking=True)
        self._stream.wait()
        return self._result[: len(starts)].numpy().copy()


def made_tensors(network: nn.Module) -> list[Tensor]:
    """Tensors that modules keep beside parameters and buffers.

    YOLO's head makes its grid anew for each batch and input size and lets go of the one before,
    which a recording still reads.
    """
    attributes = (value for module in network.modules() for value in vars(module).values())
    return [value for value in attributes if isinstance(value, Tensor)]


class SurestPeople(nn.Module):
    """From bytes of pictures to a network's candidates: those that are most surely people.

    (B, h, w, 3) to (B, 4 + classes, at most ``CANDIDATES``), float32; outputs of networks that
    need no NMS, (B, N, 6), pass as they are.
    """

    def __init__(self, model: nn.Module, person: int) -> None:
        super().__init__()
        self.model = model
        self.person = person
        self.register_buffer("scale", torch.tensor(1 / 255))

    def forward(self, pictures_bgr: Tensor) -> Tensor:
        """Candidates of pictures uint8 (B, h, w, 3), blue first."""
        scale: Any = self.scale
        inputs = pictures_bgr.permute(0, 3, 1, 2).flip(1).to(scale.dtype) * scale
        raw = self.model(inputs.contiguous(memory_format=torch.channels_last))
        predictions: Tensor = (raw[0] if isinstance(raw, tuple | list) else raw).float()
        if predictions.shape[2] == 6 or predictions.shape[2] <= CANDIDATES:
            return predictions
        scores = predictions[:, 4:]
        best, which = scores.max(dim=1)
        surest = torch.where(which == self.person, best, 0.0).topk(CANDIDATES, dim=1).indices
        return predictions.gather(2, surest[:, None].expand(-1, predictions.shape[1], -1))


@lru_cache(maxsize=32)
def letterbox_taps(letterbox: Letterbox) -> tuple[Axis, Axis]:
    """Rows and columns of the input: source index (n, 2) and weight (n, 2) of its two taps.

    Where the picture lies, bilinear sampling as OpenCV resizes: source position
    ``(i + 0.5) * scale - 0.5``, held at the edges. Nothing weighs anything in the padding.
    """
    axes = zip(
        letterbox.source_wh,
        letterbox.scaled_wh,
        letterbox.left_top,
        letterbox.input_wh,
        strict=True,
    )
    columns, rows = (_axis_taps(*axis) for axis in axes)
    return rows, columns


def _axis_taps(source: int, scaled: int, offset: int, size: int) -> Axis:
    positions = np.clip((np.arange(scaled) + 0.5) * (source / scaled) - 0.5, 0, source - 1)
    left = np.floor(positions).astype(np.int64)
    fraction = positions - left
    indices, weights = np.zeros((size, 2), np.int64), np.zeros((size, 2), np.float32)
    inside = slice(offset, offset + scaled)
    indices[inside] = np.stack([left, np.minimum(left + 1, source - 1)], axis=1)
    weights[inside] = np.stack([1 - fraction, fraction], axis=1)
    return indices, weights
