"""Detection networks in OpenVINO, on the processor: opened, converted once, checked, run.

Neither torch nor ultralytics is loaded, but to read a .pt file.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.detection.detector import Engine, Predictions
from livepose.detection.files import DetectorInfo, exported_person, read_stored
from livepose.detection.openvino_graph import detector_graph, is_known
from livepose.errors import DeviceError, WeightsError
from livepose.runtimes.activation_ranges import ActivationRanges, ranges_path, read_ranges
from livepose.runtimes.int8 import INT8_VERSION, insert_ranges
from livepose.runtimes.openvino import (
    StoredGraph,
    bytes_in,
    has_amx,
    has_vnni,
    machine,
    ov,
    read_model,
)
from livepose.runtimes.store import Store, content_hash
from livepose.runtimes.verify import people
from livepose.weights.card import read_metadata
from livepose.weights.places import SUFFIX

logger = logging.getLogger(__name__)

GRAPH_VERSION = "5"
"""Raised when ``openvino_graph`` changes, so that no old graph is taken for it."""
_LARGEST_BATCH = 8
_SCORE_DIFFERENCE, _INT8_SCORE_DIFFERENCE = 0.02, 0.05
_LARGEST_SHIFT_PX = 2.0
"""By how much the surest people may differ: the mean of their scores, the median of their edges."""
_SUREST = 20
_SHAPES = 6
"""So many compiled ones are remembered; a stream needs one, or two."""


class OpenVinoEngine(Engine):
    """Runs the network in OpenVINO on the processor, compiled once for each shape.

    ``graph`` takes images uint8 (B, h, w, 3), blue first; with ``fixed_wh`` of this size alone,
    one at a time. ``precision`` is OpenVINO's own choice where empty.
    """

    name = "OpenVINO on the processor"

    def __init__(
        self, graph: StoredGraph, fixed_wh: tuple[int, int] | None = None, precision: str = ""
    ) -> None:
        self.input_wh = fixed_wh
        self.graph = graph
        self._compiled = lru_cache(_SHAPES)(partial(graph.compiled, precision=precision))
        self._beside = ThreadPoolExecutor(1)
        self._preparing: dict[tuple[int, ...], Future[Any]] = {}

    def __call__(self, images_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for letterboxed images, uint8 (B, h, w, 3), blue first."""
        most, answers = _LARGEST_BATCH if self.input_wh is None else 1, []
        while len(images_bgr):
            # A power of two, so that few shapes have to be compiled.
            count = min(most, 1 << (len(images_bgr).bit_length() - 1))
            part, images_bgr = np.ascontiguousarray(images_bgr[:count]), images_bgr[count:]
            answers.append(np.array(self._compiled(part.shape)(part)[0], dtype=np.float32))
        return np.concatenate(answers)

    def prepare(self, input_wh: tuple[int, int]) -> bool:
        """Whether one image of this size runs at once; else it is compiled for beside."""
        shape = (1, input_wh[1], input_wh[0], 3)
        if shape not in self._preparing:
            self._preparing[shape] = self._beside.submit(self._compiled, shape)
        compiling = self._preparing[shape]
        return compiling.done() and compiling.exception() is None


def open_checkpoint(path: Path) -> tuple[OpenVinoEngine, DetectorInfo]:
    """An engine for a checkpoint, and what it answers; converted where it is not kept.

    In INT8 where that is quicker and was seen, once, to find whom f32 finds. WeightsError when it
    is none. RuntimeError when it is no YOLO11, or OpenVINO cannot take it.
    """
    store = Store("detector", GRAPH_VERSION, ov.__version__, content_hash(path))
    made = cache(lambda: converted(path))
    graph = StoredGraph(store, "detector", lambda: made()[0])
    info = DetectorInfo(**store.fact("info", lambda: asdict(made()[1])))
    # With AMX bf16 is quicker: 5.1 ms at 320x256, and 6.3 in INT8.
    if has_vnni() and not has_amx() and ranges_path(path).is_file():
        told = read_metadata(path) if path.suffix == SUFFIX else {}
        try:
            ranges = read_ranges(path, told.get("sha256", ""))
            return _int8_engine(graph, store, info, ranges), info
        except (WeightsError, DeviceError) as error:
            logger.warning(f"detector: not int8: {error}")
    return OpenVinoEngine(graph), info


def _int8_engine(
    graph: StoredGraph, store: Store, info: DetectorInfo, ranges: ActivationRanges
) -> OpenVinoEngine:
    name = f"int8-{INT8_VERSION}-{ranges.digest}"
    make = lambda: insert_ranges(graph.model, ranges.limits)  # noqa: E731
    engine = OpenVinoEngine(StoredGraph(store, name, make))
    engine.name += ", int8"

    def checked() -> bool:
        reference = OpenVinoEngine(graph, precision="f32")
        require_same_people(engine, reference, info.person, _INT8_SCORE_DIFFERENCE)
        return True

    store.fact(f"{name}, {machine()}", checked)
    return engine


def require_same_people(
    engine: Engine, reference: Engine, person: int, most_score: float = _SCORE_DIFFERENCE
) -> None:
    """Raises DeviceError unless an engine sees the people whom the ``reference`` in f32 sees.

    Half precision moves a box by a good part of a pixel, so that the surest candidates are
    compared, by score and place.
    """
    probe = np.concatenate(people(), axis=1)[None]
    expected, got = (_candidates(one(probe)[0], person) for one in (reference, engine))
    expected = expected[np.argsort(-expected[:, 4])[:_SUREST]]
    # The same candidate is the one at the same place: the order is another one.
    away_px = np.abs(expected[:, None, :4] - got[None, :, :4]).max(axis=2)
    scores = float(np.abs(expected[:, 4] - got[away_px.argmin(axis=1), 4]).mean())
    shift_px = float(np.median(away_px.min(axis=1)))
    if not (scores <= most_score and shift_px <= _LARGEST_SHIFT_PX):  # also NaN
        raise DeviceError(
            f"the detector on {engine.name} sees other people than in f32 on the processor "
            f"(scores differ by {scores:.2g}, boxes by {shift_px:.2g} px; at most {most_score} and "
            f"{_LARGEST_SHIFT_PX} px expected); use --device cpu"
        )


def _candidates(predictions: Predictions, person: int) -> NDArray[np.float64]:
    """Box and score as a person of each candidate in one image, (N, 5)."""
    if predictions.shape[1] == 6:  # corners, score, class
        return predictions[:, :5].astype(np.float64)
    return predictions[[0, 1, 2, 3, 4 + person]].T.astype(np.float64)


def converted(path: Path) -> tuple[Any, DetectorInfo]:
    """A YOLO11 as a model that takes bytes, any batch and size, and what it answers.

    WeightsError when it is no detector, RuntimeError when it is another.
    """
    stored = read_stored(path)
    if not is_known(stored):
        raise RuntimeError("it is no YOLO11; one that ultralytics exported to OpenVINO is quicker")
    logger.info("preparing the detector for OpenVINO (only this once)")
    return _bytes_in(detector_graph(stored, path.name)), stored.info


def _bytes_in(model: Any) -> Any:
    return bytes_in(model, (), (255.0,) * 3, rgb=True).build()


def open_exported(path: Path) -> tuple[OpenVinoEngine, DetectorInfo]:
    """A network that ultralytics exported to OpenVINO (.xml) or ONNX, and what it answers.

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
    graph = StoredGraph(None, path.stem, lambda: _bytes_in(model))
    shape = graph.model.input().get_partial_shape()
    fixed = None if shape.is_dynamic else (shape[2].get_length(), shape[1].get_length())
    info = DetectorInfo(exported_person(path), outputs[0][1].get_length() - 4)
    return OpenVinoEngine(graph, fixed), info
