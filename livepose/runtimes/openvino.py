"""OpenVINO for both networks: imported quietly, converted, compiled for a few shapes, kept.

Its import tells Google Analytics that it happened; without ``openvino_telemetry`` it tells nobody,
so that package is hidden from it.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from livepose.errors import WeightsError
from livepose.runtimes.store import Store

_modules: dict[str, Any] = sys.modules
_telemetry = _modules.get("openvino_telemetry")
_modules["openvino_telemetry"] = None  # Python's way to say: not to be found
try:
    import openvino
    import openvino.preprocess
finally:
    del _modules["openvino_telemetry"]
    if _telemetry is not None:
        _modules["openvino_telemetry"] = _telemetry

ov: Any = openvino
_FOR_BYTES = frozenset(("avx512vnni", "avxvnni"))


@cache
def core() -> Any:
    """OpenVINO's devices."""
    return ov.Core()


def has_bf16() -> bool:
    """Whether this processor computes in bf16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def has_vnni() -> bool:
    """Whether this processor has dot products of bytes."""
    return not _FOR_BYTES.isdisjoint(_features())


def has_amx() -> bool:
    """Whether this processor has a matrix unit for bf16."""
    return "amx-bf16" in _features()


@cache
def _features() -> frozenset[str]:
    from llvmlite.binding import get_host_cpu_features

    return frozenset(name for name, there in get_host_cpu_features().items() if there)


@cache
def machine() -> str:
    """The processor, and how many threads it has."""
    return f"{core().get_property('CPU', 'FULL_DEVICE_NAME')}, {os.cpu_count()} threads"


def compile_options(precision: str = "") -> dict[Any, Any]:
    """OpenVINO's properties; its own precision where none is given."""
    hint = ov.properties.hint
    numbers = {"f32": ov.Type.f32, "int8": ov.Type.f32, "bf16": ov.Type.bf16}
    options = {hint.performance_mode: hint.PerformanceMode.LATENCY}
    return {**options, hint.inference_precision: numbers[precision]} if precision else options


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

    Without a store nothing is kept. With ``half`` its weights are stored as float16.
    """

    def __init__(
        self, store: Store | None, name: str, make: Callable[[], Any], half: bool = False
    ) -> None:
        self._store, self._name = store, name
        self._make, self._half = make, half

    @cached_property
    def model(self) -> Any:
        """The openvino.Model; not to be changed."""
        if self._store is None:
            return self._make()
        xml, weights = (self._store.read(self._name + suffix) for suffix in (".xml", ".bin"))
        if xml is None or weights is None:
            with tempfile.TemporaryDirectory(prefix="livepose-") as folder:
                path = Path(folder) / "graph.xml"
                ov.save_model(self._make(), path, compress_to_fp16=self._half)
                xml = memoryview(path.read_bytes())
                weights = memoryview(path.with_suffix(".bin").read_bytes())
            self._store.write(self._name + ".bin", weights)
            self._store.write(self._name + ".xml", xml)
        return core().read_model(bytes(xml), _tensor(weights))

    def compiled(self, shape: tuple[int, ...], precision: str = "") -> Any:
        """The network compiled for this shape of its input: from the store, else made and kept."""
        options = compile_options(precision)
        here = hashlib.sha256(f"{machine()}, {ov.__version__}".encode()).hexdigest()[:12]
        name = f"{self._name}-{'x'.join(map(str, shape))}-{precision or 'own'}-{here}.blob"
        kept = None if self._store is None else self._store.read(name)
        if kept is not None:
            with suppress(RuntimeError):  # of another build of OpenVINO: compiled again
                return core().import_model(_tensor(kept), "CPU", options)
        model = self.model.clone()
        if model.is_dynamic():
            model.reshape(list(shape))
        compiled = core().compile_model(model, "CPU", options)
        if self._store is not None:
            self._store.write(name, compiled.export_model().getbuffer())
        return compiled


def _tensor(content: memoryview) -> Any:
    """The bytes in memory of OpenVINO's own, which it may go on reading."""
    tensor = ov.Tensor(ov.Type.u8, ov.Shape([len(content)]))
    tensor.data[:] = content
    return tensor
