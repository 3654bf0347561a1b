"""Fixtures that several rooms share."""

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_sets import make_set, spots
from fakes import make_pipeline
from numpy.typing import NDArray

__all__ = ["make_pipeline", "make_set", "spots"]
REPOSITORY = Path(__file__).resolve().parent.parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so; Ctrl-C is tested all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden numbers, data, videos and peers that lies beside the checkout."""
    folder = Path(os.environ.get("LIVEPOSE_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the shared test material is not at {folder} (set LIVEPOSE_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], dict[str, NDArray[Any]]]:
    """``golden("decode")``: arrays by name, which others' code computed."""

    def load(name: str) -> dict[str, NDArray[Any]]:
        with np.load(shared / "golden" / f"{name}.npz") as archive:
            return dict(archive)

    return load


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What livepose says during the test."""
    logger, kept = logging.getLogger("livepose"), _Kept()
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(kept)
    yield kept.messages
    logger.removeHandler(kept)
    logger.setLevel(before)


@pytest.fixture(autouse=True)
def _messages_end_with_the_test() -> Iterator[None]:
    """A command line that was tried, by a test or by a fixture that outlives it, says no more."""
    _be_silent()
    yield
    _be_silent()


def _be_silent() -> None:
    logger = logging.getLogger("livepose")
    logger.handlers[:] = [logging.NullHandler()]
    logger.setLevel(logging.NOTSET)
