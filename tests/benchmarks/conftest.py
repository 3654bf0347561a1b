"""The benchmarks set variables for baselines: they end with each test."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest


@pytest.fixture(autouse=True)
def _the_environment_as_it_was() -> Iterator[None]:
    with patch.dict(os.environ):
        yield
