"""Fixtures that several rooms share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden numbers, data, videos and peers that lies beside the checkout."""
    folder = Path(os.environ.get("LIVEPOSE_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"the shared test material is not at {folder} (set LIVEPOSE_SHARED)")
    return folder
