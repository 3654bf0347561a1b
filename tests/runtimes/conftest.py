"""Weights and crops that the runtimes' tests share."""

import shutil

import cv2
import numpy as np
import pytest
import torch

from livepose.networks import HRNET_WIDTHS, RESNET_BLOCKS, build_network
from livepose.weights import Card
from livepose.weights.checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """One cache for all tests, as converting a network takes seconds."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _use_cache(cache, monkeypatch):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(cache))


def saved(folder, card, std):
    """Made-up weights: too even for people, good enough to compare runtimes."""
    torch.manual_seed(0)
    network = build_network(card.network, card.keypoints)
    torch.nn.init.normal_(network.get_parameter("final_layer.weight"), std=std)
    path = folder / f"{card.network}.safetensors"
    save_checkpoint(path, network.state_dict(), card)
    return path


@pytest.fixture(scope="session", autouse=True)
def _small_networks():
    """Networks that are converted and compiled in half the time of the smallest published ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(HRNET_WIDTHS, "hrnet_w8", 8)
        patch.setitem(RESNET_BLOCKS, "resnet14", (1, 1, 1, 1))
        yield


@pytest.fixture(scope="session")
def hrnet_file(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("hrnet"), Card("hrnet_w8", (128, 96)), 0.1)


@pytest.fixture(scope="session")
def resnet_file(tmp_path_factory):
    """Everything that the HRNet file has not: MPII, blue first, log-heatmaps, another size."""
    card = Card(
        *("resnet14", (64, 96), "mpii16", 16),
        colour="bgr",
        mean=(100.0, 110.0, 120.0),
        std=(50.0, 60.0, 70.0),
        sigma=1.5,
        activation="softmax",
    )
    return saved(tmp_path_factory.mktemp("resnet"), card, 4e3)


@pytest.fixture(scope="session")
def photographs(shared):
    """Four real images of people, brought to the size of a crop."""
    images = [cv2.imread(str(name)) for name in sorted((shared / "images").glob("*.jpg"))[:4]]

    def resized(input_hw):
        size_wh = input_hw[::-1]
        return np.stack([cv2.resize(one, size_wh, interpolation=cv2.INTER_AREA) for one in images])

    return resized


@pytest.fixture
def tinypose(shared, tmp_path):
    """Somebody else's network, with its model config."""
    for suffix in (".xml", ".bin"):
        shutil.copyfile(shared / "peers" / f"tinypose_128x96_fp16{suffix}", tmp_path / f"t{suffix}")
    (tmp_path / "t.toml").write_text('input = "128x96"')
    return tmp_path / "t.xml"
