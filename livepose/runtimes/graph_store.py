"""Pose networks as OpenVINO graphs, kept on disk.

One folder a network, named after a hash of its whole card and OpenVINO's version; in it the
graph, its INT8 form where there are ranges for it, the right heatmaps of the probes of
``check``, how long each precision took here (``trial``), and OpenVINO's own compiled blobs.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from livepose.runtimes.check import probe_crops
from livepose.runtimes.int8 import INT8_VERSION, insert_ranges
from livepose.runtimes.library import openvino
from livepose.runtimes.openvino_graph import pose_graph
from livepose.runtimes.openvino_runtime import OpenVinoRuntime, with_bytes_in
from livepose.runtimes.protocol import Heatmaps
from livepose.runtimes.ranges import Ranges
from livepose.weights import Card, cache_folder
from livepose.weights.arrays import load_arrays
from livepose.weights.card import to_metadata

logger = logging.getLogger(__name__)

ov = openvino()

GRAPH_VERSION = 4
"""Raised when ``openvino_graph`` changes, so that no old graph is taken for it."""
KEPT_FOLDERS = 6
GRAPH, PROBED = "graph.xml", "probed.npy"
PRECISE_CONVOLUTIONS, PRECISE_TAIL = 2, 8


def own_graph(path: Path, card: Card) -> tuple[Any, Heatmaps, Path]:
    """Our own weights as an OpenVINO model, with the right heatmaps of the probes.

    Returns
    -------
    model : openvino.Model
        Crops uint8 (B, h, w, 3) to heatmaps float32, B free.
    reference : float32 (4, K, H, W)
    folder : Path
        Where compiled blobs may be kept.
    """
    if not card.sha256:
        return _converted(path, card, Path(tempfile.mkdtemp(dir=_own_folder().name)) / "graph")
    folder = store_folder() / key(card)
    if (folder / PROBED).is_file():
        try:
            folder.touch()
            return ov.Core().read_model(folder / GRAPH), np.load(folder / PROBED), folder
        except (RuntimeError, OSError, ValueError, EOFError):
            # Damaged, or half deleted by another process: made again.
            shutil.rmtree(folder, ignore_errors=True)
    logger.info("preparing the pose network for OpenVINO (only this once)")
    return _converted(path, card, folder)


def int8_graph(model: Any, ranges: Ranges, folder: Path) -> Any:
    """The same network with INT8 convolutions; kept in the folder of its graph."""
    kept = folder / f"int8-{INT8_VERSION}-{ranges.digest}.xml"
    if kept.is_file():
        try:
            return ov.Core().read_model(kept)
        except RuntimeError:  # damaged: made again
            kept.unlink(missing_ok=True)
    made = insert_ranges(model, ranges.limits)
    _keep(made, kept)
    return made


def _keep(model: Any, path: Path) -> None:
    """Writes a graph in one move, its weights first; where that cannot be, it goes unkept."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as part:
            draft = Path(part) / path.name
            ov.save_model(model, draft, compress_to_fp16=False)
            for suffix in (".bin", ".xml"):
                draft.with_suffix(suffix).replace(path.with_suffix(suffix))
    except (OSError, RuntimeError):
        return


def blobs(folder: Path) -> list[Path]:
    """What OpenVINO compiled into a folder."""
    return list(folder.glob("*.blob"))


def key(card: Card) -> str:
    """A name for a network, its conventions and OpenVINO's version."""
    facts = [GRAPH_VERSION, ov.__version__, to_metadata(card)]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return f"{card.network}-{digest[:16]}"


def store_folder() -> Path:
    """Where graphs are kept: in the cache, or for this run only where that cannot be written."""
    folder = cache_folder() / "openvino"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(_own_folder().name)


@cache
def _own_folder() -> "tempfile.TemporaryDirectory[str]":
    """A folder that goes when the process does."""
    return tempfile.TemporaryDirectory(prefix="livepose-", ignore_cleanup_errors=True)


def _converted(path: Path, card: Card, folder: Path) -> tuple[Any, Heatmaps, Path]:
    """Converts, and puts the whole folder in its place at once."""
    model, reference = convert(path, card)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".part-"))
    try:
        # The weights are stored as float16 and nothing is gained by keeping more.
        ov.save_model(model, part / GRAPH, compress_to_fp16=True)
        keep_ends_precise(part / GRAPH)
        np.save(part / PROBED, reference)
        _settle(part, folder)
        return ov.Core().read_model(folder / GRAPH), reference, folder
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _settle(part: Path, folder: Path) -> None:
    try:
        part.replace(folder)
    except OSError:
        if not (folder / PROBED).is_file():  # else another process was quicker
            raise
    _prune(folder.parent)


def _prune(store: Path) -> None:
    """Deletes the folders that were not used for longest: each takes some hundred megabytes."""
    folders = [folder for folder in store.iterdir() if (folder / PROBED).is_file()]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[KEPT_FOLDERS:]:
        shutil.rmtree(folder, ignore_errors=True)


def convert(path: Path, card: Card) -> tuple[Any, Heatmaps]:
    """The network of these weights as an OpenVINO model, and what it should say to the probes."""
    network = pose_graph(load_arrays(path), card, path.name)
    model = with_bytes_in(network, card, 0)
    return model, _reference(path, card, model)


def _reference(path: Path, card: Card, model: Any) -> Heatmaps:
    """Heatmaps of the probes by torch, or by OpenVINO in f32 where torch is not installed."""
    if find_spec("torch") is None:
        return OpenVinoRuntime(model, card, "f32")(probe_crops(card))
    from livepose.runtimes.torch_runtime import reference_heatmaps
    from livepose.weights import load_network

    return reference_heatmaps(load_network(path)[0], card)


def keep_ends_precise(graph: Path) -> None:
    """Marks the first and the last layers of a saved graph to stay in f32 under a bf16 hint.

    The stem and the heatmap layer are two hundredths of the work and a third of bf16's error.
    """
    tree = ElementTree.parse(graph)  # noqa: S314  (written by ourselves a moment ago)
    layers = [layer for layer in tree.iterfind("layers/layer") if _computes(layer)]
    at = [i for i, layer in enumerate(layers) if layer.get("type") == "Convolution"]
    if len(at) <= PRECISE_CONVOLUTIONS:
        return
    for layer in layers[: at[PRECISE_CONVOLUTIONS]] + layers[max(at[-1] - PRECISE_TAIL, 0) :]:
        _mark_precise(layer)
    tree.write(graph, encoding="utf-8", xml_declaration=True)


def _computes(layer: ElementTree.Element) -> bool:
    return layer.get("type") not in ("Const", "Parameter", "Result", "Convert")


def _mark_precise(layer: ElementTree.Element) -> None:
    info = layer.find("rt_info")
    if info is None:
        info = ElementTree.Element("rt_info")
        layer.insert(0 if layer.find("data") is None else 1, info)
    ElementTree.SubElement(info, "attribute", {"name": "precise", "version": "0"})
