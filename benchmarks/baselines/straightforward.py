"""The straightforward pipeline, as top-down pose estimation is usually published: the baseline.

torch, eager; the detector looks at every frame; each person is cropped by OpenCV, normalised and
run by itself; NumPy decodes joint by joint (Zhang et al., arXiv 1910.06278). The same weights as
livepose, so that the difference is the way and not the network.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.baselines import AbsentError, Opened
from livepose.crops import CropGeometry
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.detector import YoloDetector
from livepose.frame import Frame, ImageBgr
from livepose.machine import usable_cores
from livepose.weights import Card
from livepose.weights.checkpoint import load_network
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file, find_weights

Array = NDArray[np.float64]
DETECTOR_PX = 640
"""ultralytics' default."""


class Straightforward:
    """Detector on every frame, network person by person, NumPy."""

    def __init__(self, network: nn.Module, card: Card, detector: YoloDetector, people: int) -> None:
        self._people = people
        self._network = network.eval()
        self._card = card
        self._detector = detector
        self._geometry = CropGeometry(card.alignment, card.input_hw)
        self._threads = usable_cores()

    def before_round(self) -> None:
        """All cores, which is torch's default."""
        torch.set_num_threads(self._threads)

    def take(self, frame: Frame) -> int:
        """People of one frame."""
        [found] = self._detector([frame.image_bgr])
        # No more than the scene holds: a detector's ghosts shall not slow the baseline down.
        surest = np.argsort(-found.scores, kind="stable")[: self._people]
        for box_xyxy in found.boxes_xyxy[surest]:
            self.pose(frame.image_bgr, box_xyxy)
        return len(surest)

    def pose(self, image_bgr: ImageBgr, box_xyxy: Array) -> tuple[Array, Array]:
        """Keypoints (K, 2) in the image and their scores (K,) of one person."""
        height, width = self._card.input_hw
        matrix = self._geometry.matrices(box_xyxy[None])[0]
        crop = cv2.warpAffine(image_bgr, matrix, (width, height), flags=cv2.INTER_LINEAR)
        if self._card.colour == "rgb":
            crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
        normal = (crop.astype(np.float32) - self._card.mean) / self._card.std
        inputs = torch.from_numpy(normal.transpose(2, 0, 1)[None].astype(np.float32))
        with torch.no_grad():
            maps = self._network(inputs)
            if self._card.activation == "softmax":
                peak = 2 * np.pi * self._card.sigma**2
                maps = peak * torch.softmax(maps.flatten(2), dim=2).view_as(maps)
        return self.decode(maps[0].numpy(), box_xyxy)

    def decode(self, maps: NDArray[np.float32], box_xyxy: Array) -> tuple[Array, Array]:
        """DARK, joint by joint."""
        scores = maps.reshape(len(maps), -1).max(axis=1).astype(np.float64)
        cells_xy = np.array([refined(one, self._card.blur_kernel) for one in maps])
        grid_hw = (maps.shape[1], maps.shape[2])
        return self._geometry.to_image(cells_xy[None], box_xyxy[None], grid_hw)[0], scores


def refined(heatmap: NDArray[np.float32], kernel: int) -> Array:
    """The sub-pixel maximum (x, y) of one heatmap, in cells: one Newton step on its logarithm."""
    row, column = np.unravel_index(int(np.argmax(heatmap)), heatmap.shape)
    coarse = np.array([column, row], dtype=np.float64)
    height, width = heatmap.shape
    if not (1 < column < width - 2 and 1 < row < height - 2):
        return coarse
    smooth = cv2.GaussianBlur(heatmap, (kernel, kernel), 0)
    smooth *= heatmap.max() / max(float(smooth.max()), 1e-10)
    logs = np.log(np.maximum(smooth, 1e-10))
    x, y = int(column), int(row)
    gradient = 0.5 * np.array([logs[y, x + 1] - logs[y, x - 1], logs[y + 1, x] - logs[y - 1, x]])
    xx = 0.25 * (logs[y, x + 2] - 2 * logs[y, x] + logs[y, x - 2])
    yy = 0.25 * (logs[y + 2, x] - 2 * logs[y, x] + logs[y - 2, x])
    corners = logs[y + 1, x + 1] - logs[y - 1, x + 1] - logs[y + 1, x - 1] + logs[y - 1, x - 1]
    xy = 0.25 * corners
    if abs(xx * yy - xy * xy) < 1e-12:
        return coarse
    step = -np.linalg.inv(np.array([[xx, xy], [xy, yy]])) @ gradient
    # Without a limit noise throws a keypoint out of the image.
    return coarse + np.clip(step, -2.0, 2.0)


def open_straightforward(people: int) -> Opened:
    """The baseline, on the embedded weights, for so many people."""
    path = embedded_file(DEFAULT_DETECTOR + SUFFIX)
    if path is None:
        raise AbsentError(f"{DEFAULT_DETECTOR}{SUFFIX} is not embedded")
    model, info = load_detector(path)
    detector = YoloDetector(TorchEngine(model, "cpu"), path.stem, info, DETECTOR_PX)
    network, card = load_network(find_weights("default"))
    weights = f"{card.network}, {card.sha256[:12]}"
    note = "torch, eager; detector on every frame; one crop after the other; NumPy"
    system = Straightforward(network, card, detector, people)
    return Opened(system, weights, "as livepose f32", note)
