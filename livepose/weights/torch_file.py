"""The one opener of torch files: tensors and plain containers, and nothing is run.

``torch.load(weights_only=True)`` refuses everything else. What a file claims to hold is bounded by
its own size before memory is asked for.
"""

import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from livepose.errors import WeightsError
from livepose.weights.card import require_file
from livepose.weights.places import SUFFIX

_MOST_TIMES = 4
"""So many times the size of its file may the content be: numbers of 16 bits become 32."""
_SPARE_BYTES = 1 << 20
_MOST_NUMBERS = 300_000_000

# What torch's restricted unpickler raises on files that are damaged or made up.
_UNREADABLE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, OSError, struct.error),
    *(AssertionError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError),
    MemoryError,
)
_REFUSED_CLASS = re.compile(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL|class) ([\w.]+)")


def open_torch_file(path: Path, permitted: tuple[str, ...] = (), shell: type = object) -> Any:
    """What a torch file holds, read without running any code of it.

    Objects of classes whose names start with ``permitted`` come as ``shell``, which only keeps what
    was stored in them. WeightsError if it is missing, damaged, or would have to run code.
    """
    if path.suffix == SUFFIX:
        raise WeightsError(f"{path} is a safetensors file already; use it with --weights {path}")
    require_file(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                claimed = sum(entry.file_size for entry in archive.infolist())
            if claimed > _MOST_TIMES * path.stat().st_size + _SPARE_BYTES:
                raise ValueError("it claims to hold many times its size")
        with catch_warnings():
            simplefilter("ignore")  # torch warns of damaged files before it refuses them
            named = get_unsafe_globals_in_checkpoint(str(path)) if permitted else []
            shells: list[Any] = [
                (type(name.rsplit(".", 1)[-1], (shell,), {}), name)
                for name in named
                if name.startswith(permitted)
            ]
            with safe_globals([*_numpy_globals(), *shells]):
                return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        found = isinstance(error, pickle.UnpicklingError) and _REFUSED_CLASS.search(str(error))
        sentence = (
            f"holds more than weights ({found[1]}) and would have to run code to be read, which "
            "livepose does not do; ask its author for a file with the state dict alone"
            if found
            else "is not a readable torch checkpoint; it is damaged or cut short"
        )
        raise WeightsError(f"{path} {sentence}") from None


def arrays_of(tensors: Mapping[str, Tensor], path: Path) -> dict[str, NDArray[Any]]:
    """The same tensors for NumPy, which share their memory.

    WeightsError if they claim more numbers than any network here has, or NumPy knows no such.
    """
    numbers = sum(tensor.numel() for tensor in tensors.values())
    if numbers > _MOST_NUMBERS:
        raise WeightsError(
            f"{path} claims {numbers:,} numbers; networks of livepose have {_MOST_NUMBERS:,} at "
            "most"
        )
    try:
        return {
            name: (one.float() if one.dtype == torch.bfloat16 else one).detach().numpy()
            for name, one in tensors.items()
        }
    except (RuntimeError, TypeError) as error:
        raise WeightsError(f"{path} holds tensors of another kind than weights: {error}") from None


def _numpy_globals() -> list[Any]:
    """Plain NumPy arrays and numbers, which training scripts store beside the weights."""
    multiarray = import_module("numpy._core.multiarray")
    functions = [
        (getattr(multiarray, name), f"numpy.{package}.multiarray.{name}")
        for name in ("_reconstruct", "scalar")
        for package in ("core", "_core")
    ]
    types = [np.ndarray, np.dtype, *(type(np.dtype(code)) for code in "?bBhHiIlLqQefdg")]
    return [*functions, *types]
