"""``python -m livepose``."""

from livepose.cli import program

program()
