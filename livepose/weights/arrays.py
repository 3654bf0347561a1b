"""The tensors of a weights file as arrays: without torch."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from livepose.errors import WeightsError
from livepose.weights.card import broken, read_metadata, require_file

Arrays = Mapping[str, NDArray[Any]]


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All tensors of a safetensors file, as they are stored.

    Raises
    ------
    WeightsError
        If the file is missing, cut short or something else.
    """
    require_file(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        raise broken(path, error) from None


def require_stated(arrays: Arrays, sha256: str, path: Path) -> None:
    """Makes sure that the tensors of a file are those that its card states, and usable.

    ``sha256`` is what the card says, empty where it says nothing.

    Raises
    ------
    WeightsError
        If they are not.
    """
    require_usable(arrays, path.name)
    if sha256 and arrays_sha256(arrays) != sha256:
        raise WeightsError(
            f"the tensors of {path} are not those that its card states: it is damaged, or the "
            "card is another file's; fetch or import it again"
        )


def arrays_sha256(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and bytes of all arrays, in the order of the names.

    The same as ``checkpoint.tensors_sha256`` of the same file.
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} torch.{array.dtype} {arrays[name].shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def require_usable(arrays: Arrays, what: str) -> None:
    """Makes sure that there are numbers in weights, and not only zeros.

    Raises
    ------
    WeightsError
        If a tensor has infinite or undefined numbers, or all kernels are zero.
    """
    numbers = {name: array for name, array in arrays.items() if array.dtype.kind == "f"}
    for name, array in numbers.items():
        if not np.isfinite(array).all():
            raise WeightsError(f"{what} has infinite or undefined numbers in {name}")
    kernels = [array for array in numbers.values() if array.ndim > 1]
    if kernels and not any(array.any() for array in kernels):
        raise WeightsError(f"all weights of {what} are zero; nobody would be found with them")


def verify(path: Path) -> bool:
    """Whether the tensors of a file still have the hash that the file states.

    Raises
    ------
    WeightsError
        If the file is broken or states no hash.
    """
    stated = read_metadata(path).get("sha256", "")
    if not stated:
        raise WeightsError(f"{path} states no hash of its tensors, so it cannot be verified")
    return arrays_sha256(load_arrays(path)) == stated
