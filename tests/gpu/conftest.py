"""Small tensors: one thread is quickest, and the machine may be busy."""

from collections.abc import Iterator

import pytest

from livepose.runtimes.openvino import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
