"""OpenVINO for both networks: imported quietly, converted, compiled for a few shapes, kept.

Its import tells Google Analytics that it happened; without ``openvino_telemetry`` it tells nobody,
so that package is hidden from it.
"""

import hashlib
import os
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from xml.etree import ElementTree

from livepose.errors import WeightsError
from livepose.runtimes.store import COMPILED, Store

PRECISE_CONVOLUTIONS, PRECISE_TAIL = 2, 8
SHAPES_REMEMBERED = 6
"""A stream needs one, or two."""


@cache
def openvino() -> Any:
    """The module ``openvino``, which talks to nobody."""
    with _telemetry_hidden():
        import openvino as package
        import openvino.preprocess
    return package


@contextmanager
def _telemetry_hidden() -> Iterator[None]:
    modules: dict[str, Any] = sys.modules
    hidden = "openvino_telemetry" not in modules
    if hidden:
        modules["openvino_telemetry"] = None  # Python's way to say: not to be found
    try:
        yield
    finally:
        if hidden:
            del modules["openvino_telemetry"]


ov = openvino()
properties, hint = ov.properties, ov.properties.hint


@cache
def core() -> Any:
    """OpenVINO's devices."""
    return ov.Core()


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def gains_by_int8() -> bool:
    """Whether there are dot products of bytes here, and no matrix unit that is as quick in bf16."""
    from llvmlite.binding import get_host_cpu_features

    there = get_host_cpu_features()
    has = any(there.get(name, False) for name in ("avx512vnni", "avxvnni"))
    return has and not there.get("amx-bf16", False)


def compile_options(precision: str = "") -> dict[Any, Any]:
    """OpenVINO's properties; its own precision where none is given."""
    numbers = {"f32": ov.Type.f32, "int8": ov.Type.f32, "bf16": ov.Type.bf16}
    options = {hint.performance_mode: hint.PerformanceMode.LATENCY}
    return {**options, hint.inference_precision: numbers[precision]} if precision else options


@contextmanager
def one_thread() -> Iterator[None]:
    """Lets torch compute in one thread: small jobs on a busy machine are quickest so."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def read_model(path: Path) -> Any:
    """An ONNX or OpenVINO file as an openvino.Model; WeightsError where it is none."""
    try:
        return core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise WeightsError(f"{path} cannot be read by OpenVINO: {reason}") from None


def bytes_in(model: Any, mean: Sequence[float], scale: Sequence[float], rgb: bool) -> Any:
    """A preprocessor that lets a model take images uint8 (B, h, w, 3), blue first.

    ``build`` makes it of it. ``mean`` (none where empty) and ``scale`` are in the order of colours
    that the model takes.
    """
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().tensor().set_color_format(ov.preprocess.ColorFormat.BGR)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    recipe = steps.input().preprocess().convert_element_type(ov.Type.f32)
    if rgb:
        recipe.convert_color(ov.preprocess.ColorFormat.RGB)
    if mean:
        recipe.mean(list(mean))
    recipe.scale(list(scale))
    return steps


class StoredGraph:
    """A converted network: from the store, else made when it is first asked for, and kept.

    Without a store nothing is kept. With ``half`` weights are stored as float16, and the ends are
    marked to stay in f32.
    """

    def __init__(
        self, store: Store | None, name: str, make: Callable[[], Any], half: bool = False
    ) -> None:
        self.store, self.name = store, name
        self._make, self._half = make, half

    @cached_property
    def model(self) -> Any:
        """The openvino.Model; not to be changed."""
        if self.store is None:
            return self._make()
        xml, weights = (self.store.read(self.name + suffix) for suffix in (".xml", ".bin"))
        if xml is None or weights is None:
            xml, weights = self._written()
            self.store.write(self.name + ".bin", weights)
            self.store.write(self.name + ".xml", xml)
        return core().read_model(bytes(xml), _tensor(weights))

    def compiled(self, shape: tuple[int, ...], precision: str = "") -> Any:
        """The network compiled for this shape of its input: from the store, else made and kept."""
        options = compile_options(precision)
        here = hashlib.sha256(f"{machine()}, {ov.__version__}".encode()).hexdigest()[:12]
        sides = "x".join(map(str, shape))
        name = f"{self.name}-{sides}-{precision or 'own'}-{here}{COMPILED}"
        kept = None if self.store is None else self.store.read(name)
        if kept is not None:
            with suppress(RuntimeError):  # of another build of OpenVINO: compiled again
                return core().import_model(_tensor(kept), "CPU", options)
        model = self.model.clone()
        if model.is_dynamic():
            model.reshape(list(shape))
        compiled = core().compile_model(model, "CPU", options)
        if self.store is not None:
            self.store.write(name, compiled.export_model().getbuffer())
        return compiled

    def _written(self) -> tuple[memoryview, memoryview]:
        with tempfile.TemporaryDirectory(prefix="livepose-") as folder:
            path = Path(folder) / "graph.xml"
            ov.save_model(self._make(), path, compress_to_fp16=self._half)
            if self._half:
                _keep_ends_precise(path)
            return memoryview(path.read_bytes()), memoryview(path.with_suffix(".bin").read_bytes())


def _tensor(content: memoryview) -> Any:
    """The bytes in memory of OpenVINO's own, which it may go on reading."""
    tensor = ov.Tensor(ov.Type.u8, ov.Shape([len(content)]))
    tensor.data[:] = content
    return tensor


def _keep_ends_precise(graph: Path) -> None:
    """Marks the first and the last layers of a saved graph to stay in f32 under a bf16 hint.

    The stem and the heatmap layer are two hundredths of the work and a third of bf16's error.
    """
    tree = ElementTree.parse(graph)  # noqa: S314  (written by ourselves a moment ago)
    passive = ("Const", "Parameter", "Result", "Convert")
    layers = [one for one in tree.iterfind("layers/layer") if one.get("type") not in passive]
    at = [i for i, layer in enumerate(layers) if layer.get("type") == "Convolution"]
    if len(at) <= PRECISE_CONVOLUTIONS:
        return
    for layer in layers[: at[PRECISE_CONVOLUTIONS]] + layers[max(at[-1] - PRECISE_TAIL, 0) :]:
        info = layer.find("rt_info")
        if info is None:
            info = ElementTree.Element("rt_info")
            layer.insert(0 if layer.find("data") is None else 1, info)
        ElementTree.SubElement(info, "attribute", {"name": "precise", "version": "0"})
    tree.write(graph, encoding="utf-8", xml_declaration=True)


class CompiledShapes:
    """A network compiled for input shapes, those used last remembered; safe from several threads.

    ``precision`` is that of ``compile_options``.
    """

    def __init__(self, graph: StoredGraph, precision: str = "") -> None:
        self._graph, self._precision = graph, precision
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, shape: tuple[int, ...]) -> bool:
        return shape in self._compiled

    def __getitem__(self, shape: tuple[int, ...]) -> Any:
        """The compiled network for this shape of its input."""
        # Outside of the lock: what is compiled already runs on meanwhile.
        compiled = self._compiled.get(shape) or self._graph.compiled(shape, self._precision)
        with self._lock:
            self._compiled[shape] = compiled
            self._compiled.move_to_end(shape)
            if len(self._compiled) > SHAPES_REMEMBERED:
                self._compiled.popitem(last=False)
        return compiled


@cache
def machine() -> str:
    """The processor, and how many threads it has."""
    return f"{core().get_property('CPU', 'FULL_DEVICE_NAME')}, {os.cpu_count()} threads"
