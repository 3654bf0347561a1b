"""ultralytics comes silently, offline, and changes nothing."""

import subprocess
import sys

SCRIPT = """
import os, socket, sys
import cv2, numpy, torch

def forbidden(*args, **kwargs):
    raise SystemExit(f"asked the network for {args}")

socket.getaddrinfo = socket.socket.connect = forbidden
before = dict(os.environ), cv2.getNumThreads(), torch.save, numpy.get_printoptions()
from livepose.detection import open_detector
from livepose.detection.checkpoint import ultralytics
ultralytics().DetectionModel
after = dict(os.environ), cv2.getNumThreads(), torch.save, numpy.get_printoptions()
assert before == after, "the process was changed"
heavy = {"torchvision", "ultralytics.engine.predictor", "ultralytics.engine.model"}
assert not heavy & set(sys.modules)
"""


def test_ultralytics_comes_silently_offline_and_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("YOLO_CONFIG_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "own"))
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.rglob("Ultralytics"))
