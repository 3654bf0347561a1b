"""Writing a pose network with all that belongs to it as ONNX, OpenVINO or TorchScript."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from warnings import catch_warnings, simplefilter

import torch

from livepose.crops import CropGeometry
from livepose.errors import SinkError, UsageError
from livepose.export.graph import COLUMNS, KeypointGraph
from livepose.export.parity import require_parity
from livepose.runtimes.openvino import one_thread, openvino
from livepose.runtimes.torch import reference_heatmaps
from livepose.runtimes.verify import probe_crops
from livepose.settings import EXPORT_SUFFIXES
from livepose.skeletons import SKELETONS
from livepose.weights import Card, find_weights, load_network
from livepose.weights.card import is_third_party, to_metadata

OPSET = 17
INPUT, OUTPUTS = "crops_bgr", ("keypoints", "heatmaps")


def export(
    kind: str,
    output: str | Path,
    weights: str | Path = "default",
    *,
    heatmaps: bool = False,
    half: bool = False,
    overwrite: bool = False,
) -> float:
    """Writes a pose network as a file that runs without livepose, and compares what it finds.

    Parameters
    ----------
    kind : {"onnx", "openvino", "torchscript"}
    output : str or Path
        Ends in .onnx, .xml (a .bin appears beside it) or .pt.
    weights : str or Path
        A name or file of livepose's own weights.
    heatmaps : bool
        Puts the heatmaps out too.
    half : bool
        The network in float16, half as large.
    overwrite : bool
        Replaces what is there.

    Returns
    -------
    float
        The largest distance between its keypoints and livepose's on four people, in px of the crop.

    Raises
    ------
    UsageError
        When kind, file name and weights do not go together, or the file is there.
    GateError
        When keypoints lie elsewhere than livepose's; nothing is written then.
    SinkError
        When the file cannot be written.
    """
    output, path = Path(output), find_weights(str(weights))
    _check(kind, output, path, overwrite)
    network, card = load_network(path)
    graph = KeypointGraph(network, card, heatmaps, half).eval().requires_grad_(False)
    reference = reference_heatmaps(network, card)
    try:
        with TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
            draft = Path(folder) / output.name
            _WRITERS[kind](graph, draft, metadata_of(card), half)
            worst_px = require_parity(draft, card, reference)
            for suffix in EXPORT_SUFFIXES[kind][::-1]:
                draft.with_suffix(suffix).replace(output.with_suffix(suffix))
    except OSError as error:
        raise SinkError(f"cannot write {output}: {error.strerror or error}") from None
    return worst_px


def _check(kind: str, output: Path, weights: Path, overwrite: bool) -> None:
    if kind not in EXPORT_SUFFIXES:
        raise UsageError(f"export: expected one of {', '.join(EXPORT_SUFFIXES)}, got {kind!r}")
    if output.suffix != EXPORT_SUFFIXES[kind][0]:
        suffix = EXPORT_SUFFIXES[kind][0]
        raise UsageError(f"export {kind}: expected a file name that ends in {suffix}, got {output}")
    if is_third_party(weights):
        raise UsageError(f"export is for livepose's own weights, not for {weights.name}")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} is there already; add --overwrite to replace it")


def metadata_of(card: Card) -> dict[str, str]:
    """All that has to be known to feed the file and to read its output, as flat strings."""
    try:
        own_version = version("livepose")
    except PackageNotFoundError:
        own_version = "unknown"
    return {
        **to_metadata(card),
        "format": "livepose-keypoints-1",
        "livepose": own_version,
        "skeleton": json.dumps(SKELETONS[card.skeleton].to_dict()),
        "columns": " ".join(COLUMNS),
        "crop_padding": repr(CropGeometry(card.alignment, card.input_hw).padding),
    }


def _write_torchscript(
    graph: KeypointGraph, path: Path, metadata: dict[str, str], half: bool
) -> None:
    extra = {"livepose.json": json.dumps(metadata)}
    trace: Any = torch.jit.trace
    with torch.no_grad(), _quietly():
        traced = trace(graph, _example(graph), check_trace=False)
        torch.jit.save(traced, path, _extra_files=extra)


def _write_onnx(graph: KeypointGraph, path: Path, metadata: dict[str, str], half: bool) -> None:
    import onnx

    names = OUTPUTS if graph.heatmaps else OUTPUTS[:1]
    with torch.no_grad(), one_thread(), _quietly():
        torch.onnx.export(
            graph,
            (_example(graph),),
            str(path),
            input_names=[INPUT],
            output_names=list(names),
            dynamic_axes={name: {0: "N"} for name in (INPUT, *names)},
            opset_version=OPSET,
            dynamo=False,  # the other exporter needs one more package
        )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)


def _write_openvino(graph: KeypointGraph, path: Path, metadata: dict[str, str], half: bool) -> None:
    in_between = path.with_suffix(".onnx")
    _write_onnx(graph, in_between, metadata, half)
    model = openvino().Core().read_model(in_between)
    for name, text in metadata.items():
        model.set_rt_info(text, ["livepose", name])
    openvino().save_model(model, path, compress_to_fp16=half)


def _example(graph: KeypointGraph) -> torch.Tensor:
    return torch.from_numpy(probe_crops(graph.card)[:2])


@contextmanager
def _quietly() -> Iterator[None]:
    """Tracing warns of every shape that it sees."""
    with catch_warnings():
        simplefilter("ignore")
        yield


_WRITERS: dict[str, Callable[[KeypointGraph, Path, dict[str, str], bool], None]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "torchscript": _write_torchscript,
}
