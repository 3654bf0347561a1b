"""OpenVINO, imported so that it talks to nobody; and torch in one thread.

OpenVINO's import tells Google Analytics that it happened; without ``openvino_telemetry`` it tells
nobody, so that package is hidden from it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@cache
def openvino() -> Any:
    """The module ``openvino``, which talks to nobody."""
    with _telemetry_hidden():
        import openvino as package
        import openvino.preprocess
    return package


@cache
def torch_decoder() -> Any:
    """OpenVINO's reader of traced torch modules; it loads torch."""
    with _telemetry_hidden():
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    return TorchScriptPythonDecoder


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
