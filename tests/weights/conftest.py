"""What several tests of weights share."""

import functools
from collections import OrderedDict

import pytest
import torch
from weights.server import serving

from livepose.networks import build_network


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; it is not there yet."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    for name in ("LIVEPOSE_OFFLINE", "YOLO_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server():
    """One file in the world."""
    yield from serving()


@functools.cache
def small_state(network="resnet50", keypoints=17):
    """A state dict of the right names and shapes that takes no room: every tensor is one value."""
    with torch.device("meta"):
        shapes = build_network(network, keypoints).state_dict()
    return OrderedDict(
        (name, torch.full((), 0.5).to(tensor.dtype).expand(tensor.shape))
        for name, tensor in shapes.items()
    )


def written(path, content):
    """The content as torch saves it."""
    path.parent.mkdir(exist_ok=True)
    torch.save(content, path)
    return path
