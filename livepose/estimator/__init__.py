"""From boxes to keypoints: crop, network, decode. The one path that live, evaluation and
benchmark share.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.crops import CropGeometry, cut_crops
from livepose.errors import DeviceError
from livepose.estimator._kernels import decode_to_image
from livepose.estimator.small_people import SmallPeople, smaller_size
from livepose.frame import ImageBgr, StageClock
from livepose.heatmaps import DECODERS, Decoded, blur_taps, decode
from livepose.heatmaps._maps import as_contiguous
from livepose.runtimes import Runtime
from livepose.runtimes.protocol import ResizableRuntime
from livepose.skeletons import Skeleton
from livepose.weights.calibration import calibration_of

if TYPE_CHECKING:
    from livepose.runtimes.gpu_poses import GpuPoses

logger = logging.getLogger(__name__)


SMALL_PEOPLE_BATCHES = (1, 2, 3, 4)
NO_CALIBRATION = np.empty(0), (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Estimates:
    """Keypoints of P people in source-image pixels; NaN and score 0 where there is none.

    ``keypoints_xy`` float64 (P, K, 2), ``keypoint_scores`` float64 (P, K), 0 to 1,
    ``covariance_px2`` float64 (P, K, 2, 2): of the error to be expected, where the weights are
    calibrated.
    """

    keypoints_xy: NDArray[np.float64]
    keypoint_scores: NDArray[np.float64]
    covariance_px2: NDArray[np.float64]

    def joined(self, others: "Estimates", are_others: NDArray[np.bool_]) -> "Estimates":
        """These and others in one order, which ``are_others`` (P,) gives."""
        order = np.argsort(np.argsort(are_others, kind="stable"))
        pairs = (
            (self.keypoints_xy, others.keypoints_xy),
            (self.keypoint_scores, others.keypoint_scores),
            (self.covariance_px2, others.covariance_px2),
        )
        return Estimates(*(np.concatenate(pair)[order] for pair in pairs))

    def select(self, which: NDArray[Any]) -> "Estimates":
        """Those of the people at these indices."""
        return Estimates(
            self.keypoints_xy[which], self.keypoint_scores[which], self.covariance_px2[which]
        )

    @classmethod
    def unknown(cls, people: int, skeleton: Skeleton) -> "Estimates":
        """Those of so many people of whom no keypoint is known."""
        shape = people, len(skeleton.keypoints)
        unknown_xy, unknown_px2 = np.full((*shape, 2), np.nan), np.full((*shape, 2, 2), np.nan)
        return cls(unknown_xy, np.zeros(shape), unknown_px2)


class PoseEstimator:
    """Estimates the keypoints of the people in given boxes.

    Parameters
    ----------
    runtime : Runtime
        The pose network; its card says how crops are cut and heatmaps are decoded.
    method : str
        One of ``livepose.heatmaps.DECODERS``; may be changed at any time.
    clock : StageClock, optional
        Told the milliseconds of the stages crop, network and decode. On CUDA one graph does all
        three for DARK, and all of it counts as network.
    small_people_px : float, optional
        People whose crop is lower than this in the picture go through a smaller input of the same
        network, where the runtime can do that; 0 is nobody, None what suits the weights.
    """

    def __init__(
        self,
        runtime: Runtime,
        method: str = "dark",
        clock: StageClock | None = None,
        small_people_px: float | None = None,
    ) -> None:
        if method not in DECODERS:
            raise ValueError(f"decoding: expected one of {sorted(DECODERS)}, got {method!r}")
        self.runtime = runtime
        self.method = method
        self.clock = clock or StageClock()
        self.calibration = calibration_of(runtime.card)
        self._readings: dict[tuple[int, int], tuple[Any, ...]] = {}
        self.geometry = CropGeometry(runtime.card.alignment, runtime.card.input_hw)
        self.gpu = open_gpu(runtime, self.geometry)
        below_px = runtime.card.small_people_px if small_people_px is None else small_people_px
        self.small_people = self._small_people(below_px)
        self.wait = True
        """Whether a picture may wait until the smaller input is ready: a live one may not."""

    def _small_people(self, below_px: float) -> "SmallPeople[PoseEstimator] | None":
        runtime, input_hw = self.runtime, smaller_size(self.runtime.card.input_hw)
        if below_px <= 0 or input_hw is None or not isinstance(runtime, ResizableRuntime):
            return None

        def open_smaller() -> PoseEstimator:
            smaller = runtime.at_size(input_hw)
            smaller.warm_up(SMALL_PEOPLE_BATCHES)
            return PoseEstimator(smaller, self.method, self.clock, 0)

        return SmallPeople(below_px, self.geometry, open_smaller)

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints of the people in these boxes, (P, 4), of one picture (H, W, 3)."""
        if self.gpu is not None and self.method == "dark":
            return self._estimate_on(self.gpu, [image_bgr], [boxes_xyxy])[0]
        if self.small_people is not None:
            return self.estimate_frames([image_bgr], [boxes_xyxy])[0]
        return self.decode(self.heatmaps(image_bgr, boxes_xyxy), boxes_xyxy)

    def estimate_frames(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Estimates]:
        """The same for several pictures, whose crops go through the network in one batch."""
        if self.gpu is not None and self.method == "dark":
            return self._estimate_on(self.gpu, images_bgr, boxes_xyxy)
        small = [] if self.small_people is None else self.small_people.among(boxes_xyxy)
        smaller = self._smaller() if any(some.any() for some in small) else None
        if smaller is None:
            return self._estimate_frames(images_bgr, boxes_xyxy)
        pairs = list(zip(boxes_xyxy, small, strict=True))
        usual = self._estimate_frames(images_bgr, [boxes[~which] for boxes, which in pairs])
        others = smaller.estimate_frames(images_bgr, [boxes[which] for boxes, which in pairs])
        return list(map(Estimates.joined, usual, others, small))

    def _smaller(self) -> "PoseEstimator | None":
        smaller = None if self.small_people is None else self.small_people.estimator(self.wait)
        if smaller is not None:
            smaller.method = self.method
        return smaller

    def _estimate_frames(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Estimates]:
        crops = [self.cut(*pair) for pair in zip(images_bgr, boxes_xyxy, strict=True)]
        heatmaps = self._run(np.concatenate(crops) if crops else self._no_crops())
        ends = np.cumsum([len(boxes) for boxes in boxes_xyxy])
        parts = np.split(heatmaps, ends[:-1]) if len(ends) else []
        return [self.decode(part, boxes) for part, boxes in zip(parts, boxes_xyxy, strict=True)]

    def cut(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> NDArray[np.uint8]:
        """The crops of these boxes as the network sees them, (P, h, w, 3), blue first."""
        with self.clock.stage("crop"):
            matrices = self.geometry.matrices(boxes_xyxy)
            return cut_crops(image_bgr, matrices, self.geometry.input_hw)

    def heatmaps(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> NDArray[np.float32]:
        """What the network says of these boxes, (P, K, H, W)."""
        return self._run(self.cut(image_bgr, boxes_xyxy))

    def decode(
        self, heatmaps: NDArray[np.float32], boxes_xyxy: Boxes, method: str | None = None
    ) -> Estimates:
        """Heatmaps (P, K, H, W) of these boxes as keypoints in the picture."""
        with self.clock.stage("decode"):
            method = method or self.method
            if method == "dark":
                return self._read_out(heatmaps, np.ascontiguousarray(boxes_xyxy, np.float64))
            height, width = heatmaps.shape[2:]
            return self._in_image(decode(heatmaps, method), boxes_xyxy, (int(height), int(width)))

    def _read_out(self, heatmaps: NDArray[np.float32], boxes_xyxy: Boxes) -> Estimates:
        """All of it in one call, for DARK."""
        maps = as_contiguous(heatmaps)
        people, keypoints, height, width = maps.shape
        if boxes_xyxy.shape != (people, 4):
            raise ValueError(f"boxes_xyxy: expected shape {(people, 4)}, got {boxes_xyxy.shape}")
        found = Estimates(
            np.empty((people, keypoints, 2)),
            np.empty((people, keypoints)),
            np.empty((people, keypoints, 2, 2)),
        )
        taps, placing, intercepts, slopes = self._reading(height, width)
        decode_to_image(
            *(maps, taps, boxes_xyxy, placing, intercepts, slopes),
            *(found.keypoints_xy, found.keypoint_scores, found.covariance_px2),
        )
        return found

    def _reading(self, height: int, width: int) -> tuple[Any, ...]:
        """Blur, placing and calibration for heatmaps of this size: asked for at every frame."""
        known = self._readings.get((height, width))
        if known is None:
            blur, placing = self.runtime.card.blur_kernel, self.geometry.placing((height, width))
            expected = self.calibration
            numbers = expected and (expected.intercepts, expected.slopes)
            known = (blur_taps(blur), placing, *(numbers or NO_CALIBRATION))
            self._readings[height, width] = known
        return known

    def _in_image(
        self, decoded: Decoded, boxes_xyxy: Boxes, heatmap_hw: tuple[int, int]
    ) -> Estimates:
        image_xy, covariance_px2 = self.geometry.decoded_to_image(
            decoded.xy, decoded.covariance, boxes_xyxy, heatmap_hw
        )
        return Estimates(image_xy, np.minimum(decoded.scores, 1.0), covariance_px2)

    def _estimate_on(
        self, gpu: "GpuPoses", images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Estimates]:
        try:
            with self.clock.stage("network"):
                found = gpu(images_bgr, boxes_xyxy)
        finally:
            self.end_frame()
        with self.clock.stage("decode"):
            heatmap_hw = self.runtime.card.heatmap_hw
            pairs = zip(found, boxes_xyxy, strict=True)
            return [
                self._in_image(self._calibrated(decoded), boxes, heatmap_hw)
                for decoded, boxes in pairs
            ]

    def _calibrated(self, decoded: Decoded) -> Decoded:
        if self.calibration is None:
            return decoded
        expected = self.calibration.apply(decoded.covariance, np.minimum(decoded.scores, 1.0))
        return replace(decoded, covariance=expected)

    def warm_up(self, size_wh: tuple[int, int], people: Sequence[int]) -> None:
        """Prepares for so many people in pictures of this size: the first frame need not wait."""
        if self.gpu is None or self.method != "dark":
            self.runtime.warm_up(people)
            return
        self.gpu.frames.upload([np.zeros((*size_wh[::-1], 3), dtype=np.uint8)])
        self.gpu.warm_up(people)

    def end_frame(self) -> None:
        """What was looked at is done with: the next picture may come in the same array."""
        if self.gpu is not None:
            self.gpu.frames.forget()

    def _run(self, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self.clock.stage("network"):
            return self.runtime(crops_bgr)

    def _no_crops(self) -> NDArray[np.uint8]:
        return np.empty((0, *self.geometry.input_hw, 3), dtype=np.uint8)


def open_gpu(runtime: Runtime, geometry: CropGeometry) -> "GpuPoses | None":
    """Crops and decoding beside the network where that runs on CUDA, checked; else None."""
    if runtime.name != "cuda":
        return None
    from livepose.runtimes import gpu_poses as gpu
    from livepose.runtimes.cuda import CudaRuntime

    if not isinstance(runtime, CudaRuntime):
        return None
    poses = gpu.GpuPoses(runtime, geometry)
    try:
        gpu.require_same_keypoints(poses)
    except DeviceError as error:
        logger.warning(f"{error}; the processor does both")
        return None
    return poses
