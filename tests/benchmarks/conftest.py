"""The benchmarks set variables for baselines: they end with each test."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _the_environment_as_it_was() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
