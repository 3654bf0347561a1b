"""What several tests of weights share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from weights.server import Server, serving


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; it is not there yet."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    for name in ("LIVEPOSE_OFFLINE", "YOLO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server() -> Iterator[Server]:
    """One file in the world."""
    yield from serving()
