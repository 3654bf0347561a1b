"""Windows: one for the thread that plays a source, or several that belong to one thread."""

from livepose.window.caption import captioned
from livepose.window.screen import Pane, Screen
from livepose.window.window import Command, Window

__all__ = ["Command", "Pane", "Screen", "Window", "captioned"]
