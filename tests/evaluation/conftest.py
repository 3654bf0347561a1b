"""Drawn sets and an estimator that sees them."""

import pytest
from evaluation_sets import SpotRuntime, make_set

from livepose.estimator import PoseEstimator

__all__ = ["make_set"]


@pytest.fixture
def estimator() -> PoseEstimator:
    return PoseEstimator(SpotRuntime())
