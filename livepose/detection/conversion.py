"""Detectors converted for OpenVINO, kept on disk: a start from there loads neither torch nor
ultralytics.
"""

import hashlib
import json
import logging
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

from livepose.detection.engines import core
from livepose.detection.openvino_graph import detector_graph, is_known
from livepose.detection.protocol import Facts, person_class
from livepose.errors import WeightsError
from livepose.runtimes.library import one_thread, openvino, torch_decoder
from livepose.weights.arrays import load_arrays
from livepose.weights.card import read_metadata
from livepose.weights.places import SUFFIX, cache_folder

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger(__name__)

ov = openvino()

GRAPH, FACTS = "detector.xml", "detector.json"
TRACED_PX = 64
"""Side of the picture that the network is traced with; any does, small is quick."""


def key(path: Path) -> str:
    """A name for what is in this file and what converts it.

    Raises
    ------
    WeightsError
        When the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read as a detector: {error}") from None
    versions = "_".join(map(_version, ("openvino", "ultralytics", "torch")))
    return hashlib.sha256(f"{content} {versions}".encode()).hexdigest()[:20]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def kept(name: str) -> tuple[Any, Facts] | None:
    """The converted network of that key, and what it answers; None where there is none yet."""
    folder = _folder(name)
    if not (folder / FACTS).is_file():
        return None
    try:
        return core().read_model(folder / GRAPH), Facts(**json.loads((folder / FACTS).read_text()))
    except (RuntimeError, OSError, ValueError, TypeError):
        logger.warning(f"the converted detector in {folder} is broken; converting it again")
        return None


def convert(model: "nn.Module", facts: Facts, name: str) -> Any:
    """The network for OpenVINO, any batch and size; kept in the cache under that key."""
    logger.info("converting the detector for OpenVINO (only this once)")
    converted = _traced(model)
    _keep(converted, facts, _folder(name))
    return converted


def built(path: Path) -> tuple[Any, Facts]:
    """A detector of ours for OpenVINO, any batch and size, where torch is not installed.

    Raises
    ------
    WeightsError
        When it is no YOLO11, or no file of ours.
    """
    if path.suffix != SUFFIX:
        raise WeightsError(
            f"{path.name} needs torch and ultralytics; install them with "
            "'pip install livepose[torch]', or use --detector embedded"
        )
    told = read_metadata(path)
    try:
        architecture = json.loads(told["architecture"])
        names = dict(enumerate(told["classes"].split(",")))
        input_px, classes, known = (
            int(told["input_px"]),
            int(architecture["nc"]),
            is_known(architecture),
        )
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise WeightsError(
            f"{path} holds no detector: its metadata lack or garble {error}; a pose network goes "
            "to --weights"
        ) from None
    if not known:
        raise WeightsError(
            f"{path.name} is no YOLO11 and needs torch and ultralytics; install them with "
            "'pip install livepose[torch]', or use --detector embedded"
        )
    facts = Facts(person_class(names, path), classes, input_px)
    return detector_graph(architecture, load_arrays(path), path.name), facts


def _folder(name: str) -> Path:
    return cache_folder() / "detectors" / name


def _traced(model: "nn.Module") -> Any:
    """The network for OpenVINO, by its frontend for torch.

    Not by ``ov.convert_model``, which reports its use to Intel over the network.
    """
    import torch

    head: Any = list(model.children())[-1]
    head = head[-1]
    head.export, head.dynamic, head.format = True, True, "openvino"
    example = torch.zeros(1, 3, TRACED_PX, TRACED_PX)
    with torch.no_grad(), one_thread(), catch_warnings():
        simplefilter("ignore")  # the tracer warns of every shape that it sees
        trace: Any = torch.jit.trace
        traced = trace(model, example, check_trace=False)
        decoder = torch_decoder()(traced, example_input=example)
        frontend = ov.frontend.FrontEndManager().load_by_framework("pytorch")
        converted = frontend.convert(frontend.load(decoder))
    parameter = converted.get_parameters()[0]
    parameter.set_element_type(ov.Type.f32)
    parameter.set_partial_shape(ov.PartialShape([-1, 3, -1, -1]))
    converted.validate_nodes_and_infer_types()
    return converted


def _keep(converted: Any, facts: Facts, folder: Path) -> None:
    """Writes the converted network, facts last; without a place to write, it goes unkept."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as draft:
            ov.save_model(converted, str(Path(draft) / GRAPH), compress_to_fp16=False)
            (Path(draft) / FACTS).write_text(json.dumps(asdict(facts)))
            folder.mkdir(exist_ok=True)
            for file in (Path(GRAPH).with_suffix(".bin"), Path(GRAPH), Path(FACTS)):
                (Path(draft) / file).replace(folder / file)
    except (OSError, RuntimeError):
        return
