import subprocess
import sys

import numpy as np

from livepose.detection.library import ultralytics

SCRIPT = """
import os, socket, sys
import cv2, numpy, torch

def forbidden(*args, **kwargs):
    raise SystemExit(f"asked the network for {args}")

socket.getaddrinfo = socket.socket.connect = forbidden
before = dict(os.environ), cv2.getNumThreads(), torch.save, numpy.get_printoptions()
from livepose.detection import open_detector
from livepose.detection.library import ultralytics
ultralytics().DetectionModel
after = dict(os.environ), cv2.getNumThreads(), torch.save, numpy.get_printoptions()
assert before == after, "the process was changed"
assert "torchvision" not in sys.modules
assert "ultralytics.engine.predictor" not in sys.modules
assert "ultralytics.engine.model" not in sys.modules
"""


def test_ultralytics_comes_silently_offline_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "own"))
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.rglob("Ultralytics"))


def test_nms_of_the_library_is_there_without_torchvision():
    import torch

    predictions = torch.zeros(1, 5, 3)
    predictions[0, :, 0] = torch.tensor([50, 50, 20, 20, 0.9])
    predictions[0, :, 1] = torch.tensor([51, 50, 20, 20, 0.8])
    (kept,) = ultralytics().non_max_suppression(predictions, conf_thres=0.25, iou_thres=0.7)
    np.testing.assert_allclose(kept.numpy(), [[40, 40, 60, 60, 0.9, 0]], atol=1e-5)
    assert "torchvision" not in sys.modules
