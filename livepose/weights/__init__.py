"""Weights: find them, fetch them, bring other people's in, load them strictly.

Cards, names and downloads work without torch, so it is loaded only where tensors are touched.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.weights.card import Card
from livepose.weights.places import cache_folder, find_weights

if TYPE_CHECKING:
    from livepose.weights.checkpoint import load_checkpoint, load_network, save_checkpoint
    from livepose.weights.importing import import_checkpoint

__all__ = [
    "Card",
    "cache_folder",
    "find_weights",
    "import_checkpoint",
    "load_checkpoint",
    "load_network",
    "read_card",
    "save_checkpoint",
]

_NEED_TORCH = {
    "load_checkpoint": "checkpoint",
    "load_network": "checkpoint",
    "save_checkpoint": "checkpoint",
    "import_checkpoint": "importing",
}


def __getattr__(name: str) -> Any:
    """The functions that load torch, when they are first asked for."""
    if name not in _NEED_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_NEED_TORCH[name]}"), name)


def read_card(path: Path) -> Card:
    """The card of any pose network: from its metadata, or from a third-party file's model config.

    Raises
    ------
    WeightsError
        If the file or its card is missing or broken.
    """
    from livepose.weights.card import read_card as read_own
    from livepose.weights.model_config import is_third_party, read_model_config

    return read_model_config(path) if is_third_party(path) else read_own(path)
