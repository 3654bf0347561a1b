"""Drawn sets and an estimator that sees them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evaluation_sets import SpotRuntime, drawn_set

from livepose.estimator import PoseEstimator


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., tuple[Path, Path, dict[str, Any]]]:
    """``make_set(pictures=4, as_zip=False)``: pictures, annotation file, document."""

    def make(pictures: int = 4, as_zip: bool = False) -> tuple[Path, Path, dict[str, Any]]:
        return drawn_set(tmp_path, pictures, as_zip)

    return make


@pytest.fixture
def estimator() -> PoseEstimator:
    return PoseEstimator(SpotRuntime())
