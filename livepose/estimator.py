"""From boxes to keypoints: crop, network, decode, for live use, evaluation and benchmark alike."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.compiled import kernel
from livepose.crops import CropGeometry, cut_crops
from livepose.crops._kernels import Placing, to_image
from livepose.frame import ImageBgr, StageClock
from livepose.heatmaps import DECODERS, blur_taps, decode
from livepose.heatmaps._kernels import Real, decode_dark_maps
from livepose.heatmaps.decoding import as_contiguous
from livepose.runtimes import Runtime
from livepose.skeletons import Skeleton
from livepose.weights._kernels import calibrate
from livepose.weights.calibration import calibration_of

Floats = NDArray[np.float64]

NO_CALIBRATION = np.empty(0), (0.0, 0.0, 0.0, 0.0)


class Estimates(NamedTuple):
    """Keypoints of P people in source-image pixels; NaN and score 0 where there is none.

    ``keypoints_xy`` float64 (P, K, 2), ``keypoint_scores`` float64 (P, K), 0 to 1,
    ``covariance_px2`` float64 (P, K, 2, 2): of the error to be expected, where the weights are
    calibrated.
    """

    keypoints_xy: Floats
    keypoint_scores: Floats
    covariance_px2: Floats

    def select(self, which: NDArray[Any]) -> "Estimates":
        """Those of the people at these indices."""
        return Estimates(*(one[which] for one in self))

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
        Told the milliseconds of the stages crop, network and decode.
    """

    def __init__(
        self,
        runtime: Runtime,
        method: str = "dark",
        clock: StageClock | None = None,
    ) -> None:
        if method not in DECODERS:
            raise ValueError(f"decoding: expected one of {sorted(DECODERS)}, got {method!r}")
        self.runtime, self.method = runtime, method
        self.clock = clock or StageClock()
        card = runtime.card
        self.geometry = CropGeometry(card.alignment, card.input_hw)
        expected = calibration_of(card)
        self._reading = (
            *(blur_taps(card.blur_kernel), self.geometry.placing(card.heatmap_hw)),
            *((expected.intercepts, expected.slopes) if expected else NO_CALIBRATION),
        )

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> Estimates:
        """Keypoints of the people in these boxes, (P, 4), of one image (H, W, 3)."""
        return self.estimate_frames([image_bgr], [boxes_xyxy])[0]

    def estimate_frames(
        self, images_bgr: Sequence[ImageBgr], boxes_xyxy: Sequence[Boxes]
    ) -> list[Estimates]:
        """The same for several images, whose crops go through the network in one batch."""
        crops = [self.cut(*pair) for pair in zip(images_bgr, boxes_xyxy, strict=True)]
        if not crops:
            return []
        with self.clock.stage("network"):
            heatmaps = self.runtime(crops[0] if len(crops) == 1 else np.concatenate(crops))
        parts = np.split(heatmaps, np.cumsum([len(some) for some in crops])[:-1])
        return [self.decode(part, boxes) for part, boxes in zip(parts, boxes_xyxy, strict=True)]

    def cut(self, image_bgr: ImageBgr, boxes_xyxy: Boxes) -> NDArray[np.uint8]:
        """The crops of these boxes as the network sees them, (P, h, w, 3), blue first."""
        with self.clock.stage("crop"):
            matrices = self.geometry.matrices(boxes_xyxy)
            return cut_crops(image_bgr, matrices, self.geometry.input_hw)

    def decode(
        self, heatmaps: NDArray[np.float32], boxes_xyxy: Boxes, method: str | None = None
    ) -> Estimates:
        """Heatmaps (P, K, H, W) of these boxes as keypoints in the image."""
        with self.clock.stage("decode"):
            method = method or self.method
            if method == "dark":
                return self._decode_dark(heatmaps, np.ascontiguousarray(boxes_xyxy, np.float64))
            decoded, hw = decode(heatmaps, method), self.runtime.card.heatmap_hw
            image_xy, covariance_px2 = self.geometry.decoded_to_image(
                decoded.xy, decoded.covariance, boxes_xyxy, hw
            )
            return Estimates(image_xy, np.minimum(decoded.scores, 1.0), covariance_px2)

    def _decode_dark(self, heatmaps: NDArray[np.float32], boxes_xyxy: Boxes) -> Estimates:
        maps = as_contiguous(heatmaps)
        shape = people, _ = maps.shape[:2]
        if boxes_xyxy.shape != (people, 4):
            raise ValueError(f"boxes_xyxy: expected shape {(people, 4)}, got {boxes_xyxy.shape}")
        found = Estimates(np.empty((*shape, 2)), np.empty(shape), np.empty((*shape, 2, 2)))
        taps, *rest = self._reading
        decode_to_image(maps, taps, boxes_xyxy, *rest, *found)
        return found


# Between the network and this nothing of Python or NumPy is in the processor's caches, and each
# call from one to the other costs more than what it does: so all of it is one.
@kernel
def decode_to_image(
    maps: Real,
    taps: Floats,
    boxes_xyxy: Floats,
    placing: Placing,
    intercepts: Floats,
    slopes: tuple[float, float, float, float],
    image_xy: Floats,
    scores: Floats,
    covariance_px2: Floats,
) -> None:
    """Keypoints (P, K, 2), scores (P, K) and covariances (P, K, 2, 2) of maps (P, K, H, W).

    By DARK, for the boxes (P, 4) of the crops. ``placing`` is ``CropGeometry.placing``;
    ``intercepts`` (K,) and ``slopes`` are those of the calibration, (0,) without one.
    """
    heatmap_xy, covariance = np.empty(image_xy.shape), np.empty(covariance_px2.shape)
    decode_dark_maps(maps, taps, heatmap_xy, scores, covariance)
    for p in range(scores.shape[0]):
        for k in range(scores.shape[1]):
            scores[p, k] = min(scores[p, k], 1.0)  # a peak may be higher; a score may not
    if len(intercepts) > 0:
        calibrate(covariance, scores, intercepts, slopes, covariance)
    to_image(heatmap_xy, covariance, boxes_xyxy, placing, image_xy, covariance_px2)
