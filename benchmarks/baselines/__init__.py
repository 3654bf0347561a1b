"""Everybody who takes part: from a decoded frame to poses.

Each room opens one kind of baseline, and raises ``AbsentError`` with the reason where it cannot.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import System
from livepose.errors import LiveposeError

ROOT = Path(__file__).resolve().parent.parent.parent


class AbsentError(LiveposeError):
    """A baseline that cannot take part; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A baseline, ready to run, and what has to be said about it."""

    system: System
    weights: str
    """What its weights are: a name and the first digits of their hash, or why there are none."""
    accuracy: str = ""
    """COCO AP with where it is from, or why there is none."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the table."""

    key: str
    title: str
    open: Callable[[int], Opened]
    """Opens it for so many people."""
    settles: bool = False
    """Whether it does something else in its first second: the whole warm-up, however long."""
    quick: bool = True
    """Whether it also takes part in ``--quick``."""


def shared_folder() -> Path | None:
    """Data and other projects' files: beside the checkout, or where LIVEPOSE_SHARED says."""
    folder = Path(os.environ.get("LIVEPOSE_SHARED", ROOT.parent / "shared"))
    return folder if folder.is_dir() else None


def peer_file(name: str) -> Path:
    """A file or folder of another project.

    Raises
    ------
    AbsentError
        When it is not on this machine.
    """
    folder = shared_folder()
    if folder is None or not (folder / "peers" / name).exists():
        raise AbsentError(
            f"{name} is not on this machine (set LIVEPOSE_SHARED to where peers/ lies)"
        )
    return folder / "peers" / name
