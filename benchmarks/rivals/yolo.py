"""ultralytics' own ``predict()`` on YOLO11n-pose, and on its OpenVINO exports.

Official weights are not shipped with livepose, so the network has random ones: the time of the
network does not depend on them. No box passes the threshold of 0.25 then, so suppression and
results cost less than with trained weights, which is in the rival's favour.
"""

import contextlib
import os
import sys
import tempfile
import types
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.rivals import AbsentError, Opened, peer_file
from livepose.detector.library import QUIET, ultralytics
from livepose.frame import Frame

NETWORK = "yolo11n-pose.yaml"
RANDOM = "random, seed 0 (no box passes its threshold: cheaper than trained)"
PUBLISHED = "50.0 (published, val2017, trained weights)"
STAND_IN = "yolov8n-pose_int8_openvino"
STAND_IN_ACCURACY = "50.4 (published for f32, val2017)"
FRAME_HW = (480, 640)
FOLDER_ENDING = "_openvino_model"


@cache
def library() -> Any:
    """ultralytics, offline and quiet, with a torchvision that can be imported."""
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino_telemetry", None)  # Python's way to say: not to be found
    ultralytics()
    os.environ.update(QUIET)
    provide_torchvision()
    import ultralytics as package

    return package


def provide_torchvision() -> None:
    """``predict()`` imports torchvision for its suppression; ultralytics' own stands in for it
    where torchvision was built for another torch.
    """
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError, OSError):
        from ultralytics.utils.nms import TorchNMS

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        stand_in: Any = types.ModuleType("torchvision")
        stand_in.ops = types.SimpleNamespace(nms=TorchNMS.nms)
        sys.modules["torchvision"] = stand_in


class Predict:
    """``YOLO(...).predict(frame)`` at its defaults."""

    def __init__(self, model: Any, threads: int | None = None) -> None:
        self._model = model
        # ultralytics sets torch's threads once, when it first predicts: to all cores but one.
        self._threads = threads or library().utils.NUM_THREADS

    def before_round(self) -> None:
        """Its own number of threads, or the one that was asked for."""
        torch.set_num_threads(self._threads)

    def take(self, frame: Frame) -> int:
        """People found in one frame."""
        [result] = self._model.predict(frame.image_bgr, verbose=False)
        return len(result.boxes)


def open_predict(threads: int | None = None) -> Opened:
    """The network in torch."""
    torch.manual_seed(0)
    contestant = Predict(library().YOLO(NETWORK), threads)
    count = contestant._threads
    words = f"torch, {count} thread{'s' if count > 1 else ''}"
    return Opened(contestant, RANDOM, PUBLISHED, words if threads else f"{words} (its default)")


def open_exported(input_hw: tuple[int, int] | None = None) -> Opened:
    """The network exported to OpenVINO in f32, at its default 640x640 or at the frame's size."""
    folder = exported(input_hw)
    size = "640x640 (its default)" if input_hw is None else f"{input_hw[1]}x{input_hw[0]}"
    return Opened(Predict(library().YOLO(folder, task="pose")), RANDOM, PUBLISHED, f"input {size}")


def open_stand_in() -> Opened:
    """YOLOv8n-pose in INT8, exported by ultralytics, with trained weights."""
    folder = Path(tempfile.mkdtemp(prefix="livepose-benchmarks-"))
    link = folder / f"yolov8n-pose{FOLDER_ENDING}"
    link.symlink_to(peer_file(STAND_IN), target_is_directory=True)
    model = library().YOLO(str(link), task="pose")
    return Opened(Predict(model), "trained, INT8", STAND_IN_ACCURACY, "input 640x640")


@cache
def exported(input_hw: tuple[int, int] | None) -> str:
    """The folder of a fresh export."""
    torch.manual_seed(0)
    folder = Path(tempfile.mkdtemp(prefix="livepose-benchmarks-"))
    checkpoint = folder / "yolo11n-pose.pt"
    model = library().YOLO(NETWORK)
    model.save(checkpoint)
    size = {} if input_hw is None else {"imgsz": list(input_hw)}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            # A model that was read from a file is exported beside it.
            return str(library().YOLO(checkpoint).export(format="openvino", verbose=False, **size))
    except (RuntimeError, ImportError, OSError, AssertionError) as error:
        raise AbsentError(f"ultralytics could not export to OpenVINO: {error}") from None
