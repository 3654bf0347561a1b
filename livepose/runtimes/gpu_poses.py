"""The way of a person on a GPU: crop, network and DARK as one recorded graph.

A frame goes up once. For all people in it, or in several frames, the tables of ``crops.taps`` go
up in one small copy, one graph cuts the crops, runs the network and decodes, and six figures a
keypoint come back in one small copy: nothing else crosses, nothing is allocated, and the host
waits once.

Graphs are recorded for a few batch sizes and table sizes, when they are first needed; batches are
padded up to the next. What lies in the padding is run too and not looked at.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.crops import CropGeometry, cut_crops
from livepose.crops.taps import SAMPLES, fill_taps, samples_needed
from livepose.errors import DeviceError
from livepose.frame import ImageBgr
from livepose.heatmaps import Decoded, blur_taps, on_device
from livepose.heatmaps import decode_dark as decode_on_cpu
from livepose.runtimes.batches import next_size, padded_slices
from livepose.runtimes.cuda import CudaRuntime
from livepose.runtimes.cuda_graph import CudaGraph, people_errors
from livepose.runtimes.frames import DeviceFrames, TapBuffers, gather
from livepose.runtimes.verify import probe_crops

LARGEST_DIFFERENCE_PX = 0.02
"""Heatmap pixels by which the self-check lets a keypoint differ, in the median."""


class GpuPoses:
    """Keypoints of boxes in pictures, on the GPU from the frame to the figures.

    Network, device and batch sizes are those of ``runtime``; ``geometry`` makes crops of boxes, and
    ``frames`` are pictures on the same device, which the detector may share.
    """

    def __init__(
        self, runtime: CudaRuntime, geometry: CropGeometry, frames: DeviceFrames | None = None
    ) -> None:
        self.runtime = runtime
        self.geometry = geometry
        self.frames = frames or DeviceFrames(runtime.stream)
        self._slots: dict[tuple[int, int], PeopleSlot] = {}
        self._recorded_at = self.frames.moved

    def __call__(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Decoded]:
        """What DARK says of the boxes, (P, 4), of each picture, (H, W, 3), in heatmap pixels.

        DeviceError when the GPU's memory does not suffice.
        """
        counts = [len(boxes) for boxes in boxes_xyxy]
        with people_errors(self.runtime.device, sum(counts)):
            figures = self._figures(images_bgr, boxes_xyxy)
        return [decoded(part) for part in np.split(figures, np.cumsum(counts))[:-1]]

    def warm_up(self, people: Sequence[int]) -> None:
        """Records the graphs for so many people at once, near and far, the largest first."""
        needed = {next_size(count, self.runtime.sizes) for count in people}
        with people_errors(self.runtime.device, max(people, default=0)):
            for size in sorted(needed, reverse=True):
                for samples in sorted(SAMPLES, reverse=True):
                    self._slot(size, samples)

    def held_mib(self) -> float:
        """Memory of the GPU that this process holds, in MiB.

        It grows with a larger crowd or picture than any before, never in between.
        """
        device = self.runtime.stream.device
        held = torch.cuda.memory_reserved(device) if device.type == "cuda" else 0
        return held / 2**20

    def _figures(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> NDArray[np.float64]:
        starts = self.frames.upload(images_bgr) if images_bgr else []
        of_frames = [
            np.tile((start, *image.shape[:2]), (len(boxes), 1))
            for start, image, boxes in zip(starts, images_bgr, boxes_xyxy, strict=True)
        ]
        places = np.concatenate([np.empty((0, 3), np.int64), *of_frames])
        matrices = self.geometry.matrices(np.concatenate([np.empty((0, 4)), *boxes_xyxy]))
        parts = [np.empty((0, self.runtime.card.keypoints, on_device.FIGURES))]
        for part in padded_slices(len(places), self.runtime.sizes):
            maps = matrices[part.start : part.stop]
            slot = self._slot(part.size, samples_needed(maps))
            fill_taps(maps, places[part.start : part.stop], slot.taps)
            parts.append(slot.run(len(maps)))
        return np.concatenate(parts)

    def _slot(self, size: int, samples: int) -> "PeopleSlot":
        if self._recorded_at != self.frames.moved:
            self._slots.clear()  # they read where the pictures were
            self._recorded_at = self.frames.moved
        if (size, samples) not in self._slots:
            self._slots[size, samples] = PeopleSlot(self, size, samples)
        return self._slots[size, samples]


class PeopleSlot:
    """The graph for one batch size and one table size, and its buffers, which never move."""

    def __init__(self, owner: GpuPoses, size: int, samples: int) -> None:
        self._stream = stream = owner.runtime.stream
        card, pixels = owner.runtime.card, owner.frames.pixels
        tables = TapBuffers(stream, size, card.input_hw, samples)
        network = owner.runtime.graph
        blur = torch.from_numpy(blur_taps(card.blur_kernel).copy()).to(stream.device)
        self._tables = tables
        self.taps = tables.taps
        self._result = stream.pinned((size, card.keypoints, on_device.FIGURES), torch.float64)
        self._recording = CudaGraph(
            stream, lambda: on_device.decode_dark(network(gather(pixels, tables.tensors)), blur)
        )

    def run(self, count: int) -> NDArray[np.float64]:
        """The figures of the first ``count`` people of ``taps``, (count, K, 6)."""
        with self._stream:
            self._tables.send()
            self._recording.run()
            self._result[:count].copy_(self._recording.output[:count], non_blocking=True)
        self._stream.wait()
        return self._result[:count].numpy().copy()


def decoded(figures: NDArray[np.float64]) -> Decoded:
    """Six figures a keypoint, (P, K, 6), as what every decoder gives."""
    covariance = figures[..., [3, 4, 4, 5]].reshape(*figures.shape[:2], 2, 2)
    return Decoded(figures[..., :2], figures[..., 2], covariance)


def require_same_keypoints(poses: GpuPoses) -> None:
    """The self-check: on the probes, the same keypoints as crops and decoding on the processor.

    DeviceError when they differ.
    """
    runtime, geometry = poses.runtime, poses.geometry
    picture = np.concatenate(list(probe_crops(runtime.card)), axis=1)
    height, width = picture.shape[:2]
    boxes = np.array([[0.0, 0.0, width / 2, height], [width / 2, 0.0, width, height]])
    (ours,) = poses([picture], [boxes])
    poses.frames.forget()
    crops = cut_crops(picture, geometry.matrices(boxes), geometry.input_hw)
    theirs = decode_on_cpu(runtime(crops), runtime.card.blur_kernel)
    differences = np.abs(ours.xy - theirs.xy)[np.isfinite(theirs.xy)]
    # A keypoint that one of the two does not have differs without end.
    median = float(np.median(np.nan_to_num(differences, nan=np.inf))) if len(differences) else 0.0
    if not median <= LARGEST_DIFFERENCE_PX:
        raise DeviceError(
            f"crops and decoding on {runtime.device} give other keypoints than on the processor "
            f"(moved by {median:.3g} heatmap px in the median, at most {LARGEST_DIFFERENCE_PX} "
            "expected)"
        )
