"""Detection networks in OpenVINO, on the processor: opened, converted once, run.

A start from what is kept loads neither torch nor ultralytics, and neither does the conversion of a
YOLO11 of ours.
"""

import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.detection.check import probe_image, require_same_predictions
from livepose.detection.detector import Predictions
from livepose.detection.files import DetectorInfo, read_stored, require_torch
from livepose.detection.openvino_graph import detector_graph, is_known
from livepose.errors import DeviceError, WeightsError
from livepose.runtimes.activation_ranges import ranges_path, read_ranges
from livepose.runtimes.int8 import INT8_VERSION, insert_ranges
from livepose.runtimes.openvino import (
    CompiledShapes,
    StoredGraph,
    bytes_in,
    gains_by_int8,
    machine,
    read_model,
    traced,
)
from livepose.runtimes.store import Store, content_hash
from livepose.weights.card import read_metadata
from livepose.weights.places import SUFFIX

logger = logging.getLogger(__name__)

GRAPH_VERSION = "3"
"""Raised when ``openvino_graph`` changes, so that no old graph is taken for it."""
_LARGEST_BATCH = 8
_INT8_SCORE_DIFFERENCE = 0.05
"""By how much scores of the surest people may differ from those in f32, in the mean."""
_TRACED_PX = 64
"""Side of the image that a network is traced with; any does, small is quick."""


class OpenVinoEngine:
    """Runs the network in OpenVINO on the processor, compiled once for each shape.

    ``graph`` takes images uint8 (B, h, w, 3), blue first; with ``fixed_wh`` of this size alone,
    one at a time. ``precision`` is that of what it does not compute in whole numbers, OpenVINO's
    own choice where empty.
    """

    name = "OpenVINO on the processor"

    def __init__(
        self, graph: StoredGraph, fixed_wh: tuple[int, int] | None = None, precision: str = ""
    ) -> None:
        self.input_wh = fixed_wh
        self._shapes = CompiledShapes(graph, precision)
        self._lock = Lock()
        self._beside = ThreadPoolExecutor(1)
        self._preparing: dict[tuple[int, ...], Future[Any]] = {}

    def __call__(self, images_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for letterboxed images, uint8 (B, h, w, 3), blue first."""
        parts = [np.ascontiguousarray(part) for part in self._parts(images_bgr)]
        answers = (self._shapes[part.shape](part)[0] for part in parts)
        return np.concatenate([np.array(answer, dtype=np.float32) for answer in answers])

    def _parts(self, images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
        most = _LARGEST_BATCH if self.input_wh is None else 1
        while len(images):
            # A power of two, so that few shapes have to be compiled.
            count = min(most, 1 << (len(images).bit_length() - 1))
            yield images[:count]
            images = images[count:]

    def prepare(self, input_wh: tuple[int, int]) -> bool:
        """Whether one image of this size runs at once; else it is compiled for beside."""
        shape = (1, input_wh[1], input_wh[0], 3)
        if shape in self._shapes:
            return True
        with self._lock:
            before = self._preparing.get(shape)
            # What was compiled may have been forgotten since; what failed is not tried again.
            if before is None or (before.done() and before.exception() is None):
                self._preparing[shape] = self._beside.submit(self._shapes.__getitem__, shape)
        return False


def open_checkpoint(path: Path) -> tuple[OpenVinoEngine, DetectorInfo]:
    """An engine for a checkpoint, and what it answers; converted where it is not kept.

    WeightsError when it is none, or needs a library that is not installed. RuntimeError when
    OpenVINO cannot take the network.
    """
    versions = (_version(package) for package in ("openvino", "ultralytics", "torch"))
    store = Store("detector", GRAPH_VERSION, content_hash(path), *versions)
    made = cache(lambda: converted(path))
    graph = StoredGraph(store, "detector", lambda: made()[0])
    info = DetectorInfo(**store.fact("info", lambda: asdict(made()[1])))
    return _int8_engine(path, graph, store, info) or OpenVinoEngine(graph), info


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _int8_engine(
    path: Path, graph: StoredGraph, store: Store, info: DetectorInfo
) -> OpenVinoEngine | None:
    """The engine in INT8 where it is quicker, and has shown once that it sees what f32 sees."""
    if not gains_by_int8() or not ranges_path(path).is_file():
        return None
    try:
        told = read_metadata(path) if path.suffix == SUFFIX else {}
        ranges = read_ranges(path, told.get("sha256", ""))
        assert ranges is not None  # noqa: S101 - looked for above
        name = f"int8-{INT8_VERSION}-{ranges.digest}"
        engine = OpenVinoEngine(
            StoredGraph(store, name, lambda: insert_ranges(graph.model, ranges.limits))
        )
        engine.name += ", int8"

        def checked() -> bool:
            expected = OpenVinoEngine(graph, precision="f32")(probe_image())
            require_same_predictions(engine, expected, info.person, _INT8_SCORE_DIFFERENCE)
            return True

        store.fact(f"{name}, {machine()}", checked)
    except (WeightsError, DeviceError) as error:
        logger.warning(f"detector: not int8: {error}")
        return None
    return engine


def converted(path: Path) -> tuple[Any, DetectorInfo]:
    """A checkpoint as a model that takes bytes, any batch and size, and what it answers.

    A YOLO11 is made of its tensors alone, what else there is by ultralytics and torch. WeightsError
    when it is no detector, or needs a library that is not installed.
    """
    logger.info("preparing the detector for OpenVINO (only this once)")
    stored = read_stored(path)
    if is_known(stored):
        return _of_bytes(detector_graph(stored, path.name)), stored.info
    require_torch(path)
    import torch

    from livepose.detection.checkpoint import load_detector

    loaded = load_detector(path)
    head: Any = list(loaded.model.children())[-1]
    head = head[-1]
    head.export, head.dynamic, head.format = True, True, "openvino"
    example = torch.zeros(1, 3, _TRACED_PX, _TRACED_PX)
    model = traced(loaded.model, example)
    return _of_bytes(model), loaded.info


def _of_bytes(model: Any) -> Any:
    return bytes_in(model, (), (255.0,) * 3, rgb=True).build()


def open_exported(path: Path) -> tuple[OpenVinoEngine, int]:
    """A network that ultralytics exported to OpenVINO (.xml) or ONNX, and how many classes it has.

    It is compiled at each start. WeightsError when it cannot be read, or answers in another form
    than such an export.
    """
    model = read_model(path)
    outputs = [output.get_partial_shape() for output in model.outputs]
    plain = len(model.inputs) == 1 and len(outputs) == 1 and outputs[0].rank.get_length() == 3
    if not plain or outputs[0][1].is_dynamic:
        raise WeightsError(
            f"{path} is no detector exported by ultralytics: expected one output of candidates, "
            f"got {', '.join(map(str, outputs))}"
        )
    graph = StoredGraph(None, path.stem, lambda: _of_bytes(model))
    shape = graph.model.input().get_partial_shape()
    fixed = None if shape.is_dynamic else (shape[2].get_length(), shape[1].get_length())
    return OpenVinoEngine(graph, fixed), outputs[0][1].get_length() - 4
