"""YOLO pose models: the whole image in, their own boxes and keypoints out.

A checkpoint is opened by ultralytics; a folder of its OpenVINO export by OpenVINO. Around either
stand the letterbox (grey 114, 640 px) and non-maximum suppression at 0.7 of ultralytics' own
validation.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.detection.checkpoint import check_architecture, read_pickled, ultralytics
from livepose.errors import DataError, WeightsError
from livepose.evaluation.speed import Cost, module_cost
from livepose.frame import ImageBgr
from studies.peers.direct import People
from studies.peers.openvino_files import CompiledPeer

Array = NDArray[np.float64]
Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]

SIDE_PX = 640
GREY = 114
LOWEST_SCORE = 0.01
NMS_IOU = 0.7
MOST_PEOPLE = 300
KEYPOINTS = 17
FIELDS = 5 + 3 * KEYPOINTS
END_TO_END_FIELDS = 6 + 3 * KEYPOINTS


class Yolo:
    """An ultralytics checkpoint of people's poses (.pt), or a folder of its OpenVINO export."""

    backbone = ""
    own_boxes = True
    input_hw = (SIDE_PX, SIDE_PX)

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._run, self.cost = _exported(path) if path.is_dir() else _checkpoint(path)

    def estimate(self, image_bgr: ImageBgr, boxes_xyxy: Boxes, scores: Array) -> People:
        """Everybody in the image; the given boxes are not used."""
        canvas, scale, offset = letterbox(image_bgr)
        inputs = canvas[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255.0
        boxes, found_scores, keypoints = people_in(self._run(np.ascontiguousarray(inputs))[0])
        xy = (keypoints[..., :2] - offset) / scale
        boxes = (boxes - np.tile(offset, 2)) / scale
        return People(xy, keypoints[..., 2], boxes, found_scores)


def letterbox(image_bgr: ImageBgr) -> tuple[ImageBgr, float, Array]:
    """The image scaled into a grey square; the scale, and where its corner lies (x, y)."""
    height, width = image_bgr.shape[:2]
    scale = SIDE_PX / max(height, width)
    size_wh = (round(width * scale), round(height * scale))
    small = cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_LINEAR)
    canvas = np.full((SIDE_PX, SIDE_PX, 3), GREY, dtype=np.uint8)
    left, top = (SIDE_PX - size_wh[0]) // 2, (SIDE_PX - size_wh[1]) // 2
    canvas[top : top + size_wh[1], left : left + size_wh[0]] = small
    return canvas, scale, np.array([left, top], dtype=np.float64)


def people_in(answer: NDArray[np.float32]) -> tuple[Array, Array, Array]:
    """Boxes (P, 4), scores (P,) and keypoints (P, 17, 3) in input px from the raw answer.

    Either (56, N) centre, size, score, keypoints, to which suppression is applied here, or
    (N, 57) of a network that has done it: edges, score, class, keypoints.
    """
    if answer.shape[-1] == END_TO_END_FIELDS:
        rows = answer[answer[:, 4] >= LOWEST_SCORE].astype(np.float64)
        return rows[:, :4], rows[:, 4], rows[:, 6:].reshape(-1, KEYPOINTS, 3)
    if answer.shape[0] != FIELDS:
        raise DataError(
            f"expected a YOLO pose answer of {FIELDS} fields, got {tuple(answer.shape)}:"
            " is it a pose model?"
        )
    rows = answer.T[answer[4] >= LOWEST_SCORE].astype(np.float64)
    corners = rows[:, :2] - rows[:, 2:4] / 2
    xywh = np.concatenate([corners, rows[:, 2:4]], axis=1)
    keep = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 4].tolist(), LOWEST_SCORE, NMS_IOU)
    kept = np.asarray(keep, dtype=np.int64).ravel()[:MOST_PEOPLE]
    edges = np.concatenate([corners, corners + rows[:, 2:4]], axis=1)
    return edges[kept], rows[kept, 4], rows[kept, 5:].reshape(-1, KEYPOINTS, 3)


def _exported(folder: Path) -> tuple[Network, Cost]:
    graph = next(folder.glob("*.xml"), None)
    if graph is None:
        raise DataError(f"{folder} holds no .xml: it is not an OpenVINO export")
    compiled = CompiledPeer(graph)
    return lambda inputs: compiled(inputs)[0], compiled.cost


def _checkpoint(path: Path) -> tuple[Network, Cost]:
    """Built from the tensors and the architecture in the file; nothing of the file runs."""
    try:
        stored = read_pickled(path)
        if stored.kind != "PoseModel":
            raise DataError(f"{path} holds a {stored.kind}: expected a PoseModel of ultralytics")
        *rest, (came_from, repeats, _, arguments) = stored.architecture["head"]
        # A pose head is checked as the detection head that it extends.
        head = [*rest, [came_from, repeats, "Detect", arguments]]
        check_architecture({**stored.architecture, "head": head}, path)
        network: Any = ultralytics().PoseModel(stored.architecture, verbose=False)
        tensors = {name: torch.as_tensor(value) for name, value in stored.tensors.items()}
        network.load_state_dict(tensors)
    except WeightsError as error:
        raise DataError(str(error)) from error
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: the tensors do not fit the architecture it names") from error
    network.float().eval()

    def run(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            answer = network(torch.from_numpy(inputs))
        first = answer[0] if isinstance(answer, list | tuple) else answer
        return np.asarray(first.numpy(), dtype=np.float32)

    # Its head makes a grid of values, which a copy without storage has not.
    return run, module_cost(network, (SIDE_PX, SIDE_PX), "cpu")


def open_yolo(path: Path) -> Yolo:
    """A YOLO pose model."""
    return Yolo(path)
