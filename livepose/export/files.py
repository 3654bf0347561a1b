"""Writing a pose network with all that belongs to it as ONNX, OpenVINO or TorchScript, and checking
that what was written finds, on real people, what livepose finds there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
from numpy.typing import NDArray

from livepose import __version__
from livepose.crops import CropGeometry
from livepose.errors import GateError, UsageError
from livepose.export.graph import COLUMNS, KeypointGraph, heatmap_to_crop
from livepose.heatmaps import decode
from livepose.poses import WEAK_SCORE
from livepose.runtimes.openvino import ov
from livepose.runtimes.torch import one_thread, reference_heatmaps
from livepose.runtimes.verify import probe_crops
from livepose.settings import EXPORT_SUFFIXES
from livepose.sinks.sink import check_outputs, written
from livepose.skeletons import SKELETONS
from livepose.weights import Card, find_weights
from livepose.weights.calibration import calibration_of
from livepose.weights.card import is_third_party, to_metadata
from livepose.weights.checkpoint import load_network

OPSET = 17
INPUT, OUTPUTS = "crops_bgr", ("keypoints", "heatmaps")
LIMIT_PX = 0.05
"""So far may a keypoint lie from livepose's, in pixels of the crop."""
Metadata = dict[str, str]


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
    if kind not in EXPORT_SUFFIXES:
        raise UsageError(f"export: expected one of {', '.join(EXPORT_SUFFIXES)}, got {kind!r}")
    output, path, suffixes = Path(output), find_weights(str(weights)), EXPORT_SUFFIXES[kind]
    if output.suffix != suffixes[0]:
        raise UsageError(f"export {kind}: expected a file that ends in {suffixes[0]}, got {output}")
    if is_third_party(path):
        raise UsageError(f"export is for livepose's own weights, not for {path.name}")
    check_outputs({"--output": output}, overwrite=overwrite)
    network, card = load_network(path)
    graph = KeypointGraph(network, card, heatmaps, half).eval().requires_grad_(False)
    expected = expected_keypoints(reference_heatmaps(network, card), card)
    with written(output), TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        draft = Path(folder) / output.name
        with torch.no_grad(), one_thread(), catch_warnings():
            simplefilter("ignore")  # tracing warns of every shape that it sees
            _WRITERS[kind](graph, draft, _metadata(card))
            worst_px = _require_parity(_run(draft, probe_crops(card)), expected)
        for suffix in suffixes[::-1]:
            draft.with_suffix(suffix).replace(output.with_suffix(suffix))
    return worst_px


def _metadata(card: Card) -> Metadata:
    """All that has to be known to feed the file and to read its output."""
    return {
        **to_metadata(card),
        "format": "livepose-keypoints-1",
        "livepose": __version__,
        "skeleton": json.dumps(SKELETONS[card.skeleton].to_dict()),
        "columns": " ".join(COLUMNS),
        "crop_padding": repr(CropGeometry(card.alignment, card.input_hw).padding),
    }


def _write_torchscript(graph: KeypointGraph, path: Path, metadata: Metadata) -> None:
    trace: Any = torch.jit.trace
    traced = trace(graph, _example(graph), check_trace=False)
    torch.jit.save(traced, path, _extra_files={"livepose.json": json.dumps(metadata)})


def _write_onnx(graph: KeypointGraph, path: Path, metadata: Metadata) -> None:
    import onnx

    names = OUTPUTS if graph.heatmaps else OUTPUTS[:1]
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


def _write_openvino(graph: KeypointGraph, path: Path, metadata: Metadata) -> None:
    in_between = path.with_suffix(".onnx")
    _write_onnx(graph, in_between, metadata)
    model = ov.Core().read_model(in_between)
    for name, text in metadata.items():
        model.set_rt_info(text, ["livepose", name])
    ov.save_model(model, path, compress_to_fp16=False)


_WRITERS: dict[str, Callable[[KeypointGraph, Path, Metadata], None]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "torchscript": _write_torchscript,
}


def _example(graph: KeypointGraph) -> torch.Tensor:
    return torch.from_numpy(probe_crops(graph.card)[:2])


def expected_keypoints(heatmaps: NDArray[np.float32], card: Card) -> NDArray[np.float64]:
    """What livepose's own decoding makes of heatmaps (N, K, H, W): float64 (N, K, 6)."""
    decoded, calibration = decode(heatmaps, "dark", card.blur_kernel), calibration_of(card)
    covariance = decoded.covariance
    if calibration is not None:
        covariance = calibration.apply(covariance, decoded.scores)
    scale, offset = heatmap_to_crop(card)
    spread = (covariance * np.outer(scale, scale))[..., [0, 0, 1], [0, 1, 1]]
    xy = decoded.xy * scale + offset
    return np.concatenate([xy, decoded.scores[..., None], spread], axis=-1)


def _run(path: Path, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Keypoints that an exported file finds."""
    if path.suffix == ".pt":
        load: Any = torch.jit.load
        out = load(path)(torch.from_numpy(crops_bgr))
        keypoints: NDArray[np.float32] = (out[0] if isinstance(out, tuple) else out).numpy()
        return keypoints
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    return np.array(ov.Core().compile_model(path, "CPU", options)(crops_bgr)[0])


def _require_parity(found: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    """The largest distance of a keypoint from livepose's; GateError where it is too large.

    Keypoints that score too little to be drawn are left out, unless all do.
    """
    there = np.isfinite(expected[..., 0])
    sure = there & (expected[..., 2] >= WEAK_SCORE)
    moved_px = np.linalg.norm(found[..., :2] - expected[..., :2], axis=-1)
    counted = moved_px[sure if sure.any() else there]
    worst_px = float(np.nan_to_num(counted, nan=np.inf).max(initial=0.0))
    if worst_px > LIMIT_PX:
        raise GateError(
            f"the exported file finds keypoints {worst_px:.3g} px of the crop from where livepose "
            f"finds them (at most {LIMIT_PX:g} expected); it is deleted. Leave out --half"
        )
    return worst_px
