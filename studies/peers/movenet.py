"""MoveNet single-pose in ONNX form: a square around the box in, 17 x (y, x, score) out."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.crops import CropGeometry, cut_crops
from livepose.errors import DataError
from livepose.frame import ImageBgr
from studies.peers.direct import People
from studies.peers.openvino_files import CompiledPeer

Array = NDArray[np.float64]


class MoveNet:
    """MoveNet Lightning or Thunder; its answer is in parts of the input's height and width."""

    backbone = ""
    own_boxes = False

    def __init__(self, path: Path) -> None:
        self._compiled = CompiledPeer(path)
        shape = self._compiled.input_shape
        self._channels_last = shape[-1] == 3
        if len(shape) != 4 or 3 not in (shape[1], shape[-1]):
            raise DataError(f"{path}: expected a picture as the only input, got {shape}")
        self.input_hw = shape[1:3] if self._channels_last else shape[2:4]
        self.name = path.stem
        self.cost = self._compiled.cost
        self._geometry = CropGeometry("pixel_centre", self.input_hw)
        self._integer = "i" in str(self._compiled.model.inputs[0].get_element_type())

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes, scores: Array) -> People:
        """Keypoints of the people in these boxes."""
        matrices = self._geometry.matrices(boxes_xyxy)
        crops = cut_crops(image_bgr, matrices, self.input_hw)[..., ::-1]
        inputs = crops if self._channels_last else crops.transpose(0, 3, 1, 2)
        answers = [
            self._compiled(inputs[i : i + 1].astype(np.int32 if self._integer else np.float32))[0]
            for i in range(len(inputs))
        ]
        rows = np.array(answers, dtype=np.float64).reshape(len(boxes_xyxy), 17, 3)
        height, width = self.input_hw
        # Its 0 to 1 runs from edge to edge, so the first pixel's centre is half a pixel in.
        input_xy = rows[..., [1, 0]] * (width, height) - 0.5
        return People(uncropped(input_xy, matrices), rows[..., 2], boxes_xyxy, scores)


def uncropped(input_xy: Array, matrices: Array) -> Array:
    """Points (P, K, 2) in the crops back to the picture, through (P, 2, 3) image -> crop."""
    back = [cv2.invertAffineTransform(matrix) for matrix in matrices]
    points = [
        xy @ matrix[:, :2].T + matrix[:, 2] for xy, matrix in zip(input_xy, back, strict=True)
    ]
    return np.array(points, dtype=np.float64).reshape(input_xy.shape)


def open_movenet(path: Path) -> MoveNet:
    """MoveNet from an ONNX file."""
    return MoveNet(path)
