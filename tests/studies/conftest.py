"""Drawn sets."""

from evaluation_sets import make_set

__all__ = ["make_set"]
