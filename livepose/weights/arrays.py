"""The tensors of a weights file as arrays: without torch."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from livepose.weights.card import broken, require_file


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
