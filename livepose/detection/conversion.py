"""Our own detectors and ultralytics' checkpoints for OpenVINO, kept: a start from there loads
neither torch nor ultralytics.
"""

import json
import logging
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from livepose.detection.openvino_engine import OpenVinoEngine, taking_bytes
from livepose.detection.openvino_graph import detector_graph, is_known
from livepose.detection.protocol import DetectorInfo, person_class
from livepose.errors import WeightsError
from livepose.runtimes.openvino import StoredGraph, openvino, traced
from livepose.runtimes.store import Store, content_hash
from livepose.weights.arrays import load_arrays, require_stated
from livepose.weights.card import read_metadata
from livepose.weights.places import SUFFIX

logger = logging.getLogger(__name__)

GRAPH_VERSION = "2"
"""Raised when ``openvino_graph`` changes, so that no old graph is taken for it."""
TRACED_PX = 64
"""Side of the picture that a network is traced with; any does, small is quick."""


def convert(path: Path) -> tuple[OpenVinoEngine, DetectorInfo]:
    """An engine for a checkpoint, and what it answers; converted where it is not kept.

    Raises
    ------
    WeightsError
        When it is none, or needs a library that is not installed.
    RuntimeError
        When OpenVINO cannot take the network.
    """
    versions = (_version(package) for package in ("openvino", "ultralytics", "torch"))
    store = Store("detector", GRAPH_VERSION, content_hash(path), *versions)
    converted = cache(lambda: _converted(path))
    graph = StoredGraph(store, "detector", lambda: taking_bytes(converted()[0]))
    facts = store.read_facts()
    if facts:
        return OpenVinoEngine(graph), DetectorInfo(**facts)
    _, info = converted()
    store.write_facts(**asdict(info))
    return OpenVinoEngine(graph), info


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _converted(path: Path) -> tuple[Any, DetectorInfo]:
    logger.info("preparing the detector for OpenVINO (only this once)")
    if find_spec("torch") is not None and find_spec("ultralytics") is not None:
        from livepose.detection.checkpoint import load_detector

        loaded = load_detector(path)
        return _traced(loaded.model), loaded.info
    return built(path)


def built(path: Path) -> tuple[Any, DetectorInfo]:
    """A YOLO11 of ours made of its tensors alone, for OpenVINO, and what it answers.

    Raises
    ------
    WeightsError
        When it is another network: only torch and ultralytics can read that.
    """
    found = _built(path) if path.suffix == SUFFIX else None
    if found is None:
        raise WeightsError(
            f"{path.name} needs torch and ultralytics; install them with "
            "'pip install livepose[torch]', or use --detector embedded"
        )
    return found


def _built(path: Path) -> tuple[Any, DetectorInfo] | None:
    """A YOLO11 of ours made of its tensors alone; None where it is another network of ours."""
    told = read_metadata(path)
    try:
        architecture = json.loads(told["architecture"])
        names = dict(enumerate(told["classes"].split(",")))
        input_px, classes = int(told["input_px"]), int(architecture["nc"])
        known = is_known(architecture)
    except (KeyError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise WeightsError(
            f"{path} holds no detector: its metadata lack or garble {error}; a pose network goes "
            "to --weights"
        ) from None
    if not known:
        return None
    info = DetectorInfo(person_class(names, path), classes, input_px)
    arrays = load_arrays(path)
    require_stated(arrays, told.get("sha256", ""), path)
    return detector_graph(architecture, arrays, path.name), info


def _traced(model: Any) -> Any:
    """A network of ultralytics for OpenVINO, any batch and size."""
    import torch

    head: Any = list(model.children())[-1]
    head = head[-1]
    head.export, head.dynamic, head.format = True, True, "openvino"
    example = torch.zeros(1, 3, TRACED_PX, TRACED_PX)
    return traced(model, example, openvino().Type.f32, [-1, 3, -1, -1])
