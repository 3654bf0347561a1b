"""The tensors of a weights file: read without torch, looked at before they are used, written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from livepose.errors import WeightsError
from livepose.files import write_whole
from livepose.weights.card import opened

Arrays = Mapping[str, NDArray[Any]]


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All tensors of a safetensors file, as they are stored.

    WeightsError if it is missing, cut short or something else, if its tensors are not those whose
    hash it states, or cannot be weights.
    """
    with opened(path) as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        stated = (file.metadata() or {}).get("sha256")
    require_usable(arrays, path.name)
    if stated and arrays_sha256(arrays) != stated:
        raise WeightsError(
            f"the tensors of {path} are not those that its card states: it is damaged, or the "
            "card is another file's; fetch or import it again"
        )
    return arrays


def save_arrays(path: Path, arrays: Arrays, metadata: Mapping[str, str]) -> None:
    """Writes tensors and flat strings as safetensors; the file appears whole or not at all.

    WeightsError if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(dict(arrays), metadata=dict(metadata)))
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write the weights to {path}: {error}") from None


def arrays_sha256(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, in the order of the names."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} torch.{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def require_usable(arrays: Arrays, what: str) -> None:
    """WeightsError if a tensor has infinite or undefined numbers, or all kernels are zero."""
    kernels = []
    for name, array in arrays.items():
        if array.dtype.kind != "f":
            continue
        if not np.isfinite(array).all():
            raise WeightsError(f"{what} has infinite or undefined numbers in {name}")
        if array.ndim > 1:
            kernels.append(array)
    if kernels and not any(kernel.any() for kernel in kernels):
        raise WeightsError(f"all weights of {what} are zero; nobody would be found with them")
