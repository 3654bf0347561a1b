"""Weights: find them, fetch them, bring other people's in, load them strictly.

Cards, names and downloads work without torch, so it is loaded only where networks are.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from livepose.weights.card import Card, read_card
from livepose.weights.places import cache_folder, find_weights

if TYPE_CHECKING:
    from livepose.weights.checkpoint import load_network, save_checkpoint
    from livepose.weights.importing import import_checkpoint

__all__ = [
    "Card",
    "cache_folder",
    "find_weights",
    "import_checkpoint",
    "load_network",
    "read_card",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    """The functions that load torch, when they are first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "importing" if name == "import_checkpoint" else "checkpoint"
    return getattr(import_module(f"{__name__}.{module}"), name)
