"""What several tests of weights share."""

import functools
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from weights.server import Server, serving

from livepose.networks import build_network

State = dict[str, Tensor]


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


@functools.cache
def small_state(network: str = "resnet50", keypoints: int = 17) -> State:
    """A state dict of the right names and shapes that takes no room: every tensor is one value."""
    with torch.device("meta"):
        shapes = build_network(network, keypoints).state_dict()
    return OrderedDict(
        (name, torch.full((), 0.5).to(tensor.dtype).expand(tensor.shape))
        for name, tensor in shapes.items()
    )


def written(path: Path, content: object) -> Path:
    """The content as torch saves it."""
    path.parent.mkdir(exist_ok=True)
    torch.save(content, path)
    return path
