"""A window for the thread that plays a source, or for several threads, a tile each."""

from livepose.window.screen import Screen, Tile, captioned
from livepose.window.window import Command, Window

__all__ = ["Command", "Screen", "Tile", "Window", "captioned"]
