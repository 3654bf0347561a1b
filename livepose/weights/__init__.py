"""Weights: find them, fetch them, bring other people's in, load them strictly.

Cards, names and downloads work without torch, which ``checkpoint`` and ``importing`` load.
"""

from livepose.weights.card import Card, read_card
from livepose.weights.places import cache_folder, find_weights

__all__ = ["Card", "cache_folder", "find_weights", "read_card"]
