"""A random detector, small images, and a cache of the test's own."""

import tempfile
from pathlib import Path

import pytest
import torch

from livepose.detection.checkpoint import save_detector, ultralytics

METADATA = {"classes": "person", "input_px": "96", "source": "random numbers"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache, monkeypatch, tmp_path):
    """No test touches the user's cache, finds a checkpoint by accident, or asks the network."""
    monkeypatch.setenv("LIVEPOSE_CACHE", str(cache))
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Networks of these tests are small; threads only get in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def random_model():
    """YOLO11n with one class and random weights, scores spread over 0 to 1."""
    torch.manual_seed(0)
    model = ultralytics().DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    model.names = {0: "person"}
    for branch in model.model[-1].cv3:
        torch.nn.init.normal_(branch[-1].weight, std=0.6)
        torch.nn.init.constant_(branch[-1].bias, -1.0)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
    return model.half().float().eval()  # as files have it


@pytest.fixture(scope="session")
def own_file(random_model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_detector(path, random_model, METADATA)
    return path


@pytest.fixture(scope="session")
def pickled_file(random_model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.pt"
    torch.save({"epoch": -1, "model": random_model, "ema": None, "train_args": {"lr0": 0.01}}, path)
    return path
