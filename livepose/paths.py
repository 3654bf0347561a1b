"""Asking for files by whatever names people give: a name that cannot be one is no file's."""

import os
from pathlib import Path


def exists(name: str | Path) -> bool:
    """Whether there is such a file or folder; Path.exists raises where a name is too long."""
    return os.path.exists(name)  # noqa: PTH110


def is_file(name: str | Path) -> bool:
    """Whether there is such a file."""
    return os.path.isfile(name)  # noqa: PTH113


def is_folder(name: str | Path) -> bool:
    """Whether there is such a folder."""
    return os.path.isdir(name)  # noqa: PTH112
