"""The tensors of a weights file: read without torch, hashed, and looked at before they are used.

Functions that take tensors take NumPy's arrays and torch's tensors alike.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import WeightsError
from livepose.weights.card import opened, read_metadata

Tensors = Mapping[str, Any]


def load_arrays(path: Path, framework: str = "numpy") -> dict[str, Any]:
    """All tensors of a safetensors file, as they are stored; torch's with framework "pt".

    WeightsError if the file is missing, cut short or something else.
    """
    with opened(path, framework) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def require_stated(tensors: Tensors, sha256: str, path: Path) -> None:
    """Makes sure that the tensors of a file are those that its card states, and usable.

    ``sha256`` is what the card says, empty where it says nothing. WeightsError if they are not.
    """
    require_usable(tensors, path.name)
    if sha256 and tensors_sha256(tensors) != sha256:
        raise WeightsError(
            f"the tensors of {path} are not those that its card states: it is damaged, or the "
            "card is another file's; fetch or import it again"
        )


def tensors_sha256(tensors: Tensors) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        kind = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"{name} torch.{kind} {tuple(tensor.shape)}\n".encode())
        if not isinstance(tensor, np.ndarray):
            import torch

            tensor = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
        digest.update(np.ascontiguousarray(tensor).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def require_usable(tensors: Tensors, what: str) -> None:
    """Makes sure that there are numbers in weights, and not only zeros.

    WeightsError if a tensor has infinite or undefined numbers, or all kernels are zero.
    """
    kernels = []
    for name, tensor in tensors.items():
        array = _array(tensor)
        if array.dtype.kind != "f":
            continue
        if not np.isfinite(array).all():
            raise WeightsError(f"{what} has infinite or undefined numbers in {name}")
        if array.ndim > 1:
            kernels.append(array)
    if kernels and not any(kernel.any() for kernel in kernels):
        raise WeightsError(f"all weights of {what} are zero; nobody would be found with them")


def _array(tensor: Any) -> NDArray[Any]:
    if isinstance(tensor, np.ndarray):
        return tensor
    tensor = tensor.detach()
    # NumPy has no bfloat16.
    return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)


def verify(path: Path) -> bool:
    """Whether the tensors of a file still have the hash that the file states.

    WeightsError if the file is broken or states no hash.
    """
    stated = read_metadata(path).get("sha256", "")
    if not stated:
        raise WeightsError(f"{path} states no hash of its tensors, so it cannot be verified")
    return tensors_sha256(load_arrays(path)) == stated
