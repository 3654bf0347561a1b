"""ultralytics' own ``predict()`` on YOLO11n-pose and YOLO26n-pose, and on their exports.

Official weights are not shipped with livepose, so the network has random ones: the time of the
network does not depend on them. No box passes the threshold of 0.25 then, so suppression and
results cost less than with trained weights, which is in the baseline's favour.
"""

import contextlib
import os
import shutil
import sys
import tempfile
import types
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.baselines import AbsentError, Opened, peer_file
from livepose.benchmark.scene import WalkingPeople
from livepose.detection.checkpoint import QUIET, ultralytics
from livepose.detection.letterbox import Letterbox
from livepose.frame import Frame
from livepose.machine import known_version
from livepose.runtimes.openvino import ov
from livepose.weights.places import cache_folder

NETWORK = "yolo11n-pose"
NEWEST = "yolo26n-pose"
RANDOM = "random, seed 0 (no box passes its threshold: cheaper than trained)"
PUBLISHED = {
    NETWORK: "50.0 (published, val2017, trained weights)",
    NEWEST: "57.2 (published, val2017, trained weights)",
}
STAND_IN = "yolov8n-pose_int8_openvino"
STAND_IN_ACCURACY = "50.4 (published for f32, val2017)"
FRAME_HW = (480, 640)
DEFAULT_PX = 640
CALIBRATION_FRAMES = 16
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


def open_predict(threads: int | None = None, network: str = NETWORK) -> Opened:
    """The network in torch."""
    system = Predict(untrained(network), threads)
    count = system._threads
    words = f"torch, {count} thread{'s' if count > 1 else ''}"
    return Opened(
        system, RANDOM, PUBLISHED[network], words if threads else f"{words} (its default)"
    )


def untrained(network: str) -> Any:
    """The network with random weights.

    Raises
    ------
    AbsentError
        When the installed ultralytics does not know it.
    """
    torch.manual_seed(0)
    try:
        return library().YOLO(f"{network}.yaml")
    except (FileNotFoundError, KeyError, AttributeError) as error:
        raise AbsentError(f"this ultralytics has no {network}: {error}") from None


def open_exported(input_hw: tuple[int, int] | None = None, network: str = NETWORK) -> Opened:
    """The network exported to OpenVINO in f32, at its default 640x640 or at the frame's size."""
    folder = exported(input_hw, network)
    size = "640x640 (its default)" if input_hw is None else f"{input_hw[1]}x{input_hw[0]}"
    return Opened(
        Predict(library().YOLO(folder, task="pose")), RANDOM, PUBLISHED[network], f"input {size}"
    )


def open_int8(network: str = NETWORK) -> Opened:
    """The network in INT8, quantised as ultralytics does it, at its default 640x640."""
    model = library().YOLO(quantised(network), task="pose")
    return Opened(Predict(model), RANDOM, PUBLISHED[network] + ", for f32", "NNCF, input 640x640")


def open_stand_in() -> Opened:
    """YOLOv8n-pose in INT8, exported by ultralytics, with trained weights."""
    folder = Path(tempfile.mkdtemp(prefix="livepose-benchmarks-"))
    link = folder / f"yolov8n-pose{FOLDER_ENDING}"
    link.symlink_to(peer_file(STAND_IN), target_is_directory=True)
    model = library().YOLO(str(link), task="pose")
    return Opened(Predict(model), "trained, INT8", STAND_IN_ACCURACY, "input 640x640")


def exported(input_hw: tuple[int, int] | None, network: str) -> str:
    """The folder of an export; made once and kept in the cache."""
    size_hw = input_hw or (DEFAULT_PX, DEFAULT_PX)
    folder = kept_folder(network, f"f32-{size_hw[1]}x{size_hw[0]}")
    if not folder.is_dir():
        # A model that was read from a file is exported beside it.
        with tempfile.TemporaryDirectory(dir=made(folder.parent)) as draft:
            checkpoint = Path(draft) / f"{network}.pt"
            untrained(network).save(checkpoint)
            export(checkpoint, size_hw).rename(folder)
    return str(folder)


def export(checkpoint: Path, size_hw: tuple[int, int]) -> Path:
    """Exports to OpenVINO by ultralytics' own means.

    Raises
    ------
    AbsentError
        When it fails.
    """
    model = library().YOLO(checkpoint)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return Path(model.export(format="openvino", imgsz=list(size_hw), verbose=False))
    except (RuntimeError, ImportError, OSError, AssertionError) as error:
        raise AbsentError(f"ultralytics could not export to OpenVINO: {error}") from None


def quantised(network: str) -> str:
    """The folder of the INT8 network; made once by NNCF and kept in the cache.

    ultralytics' own INT8 export wants a data set with labels; this takes its recipe (mixed preset,
    the head in floating point) with frames of the scene as calibration.

    Raises
    ------
    AbsentError
        When it is not kept and NNCF is not installed.
    """
    folder = kept_folder(network, "int8")
    if not folder.is_dir():
        try:
            import nncf
        except ImportError:
            raise AbsentError("NNCF is not installed (pip install nncf)") from None
        source = Path(exported(None, network))
        graph = ov.Core().read_model(next(source.glob("*.xml")))
        smaller = nncf.quantize(
            graph,
            nncf.Dataset(calibration()),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=CALIBRATION_FRAMES,
            ignored_scope=nncf.IgnoredScope(names=head_of(graph)),
        )
        with tempfile.TemporaryDirectory(dir=folder.parent) as draft:
            whole = Path(draft) / "made"
            whole.mkdir()
            ov.save_model(smaller, whole / f"{network}.xml", compress_to_fp16=False)
            shutil.copy(source / "metadata.yaml", whole)
            whole.rename(folder)
    return str(folder)


def head_of(network: Any) -> list[str]:
    """Operations that ultralytics leaves in floating point: sigmoids, and the head's own."""
    operations = network.get_ordered_ops()
    sigmoids = [one.get_friendly_name() for one in operations if one.get_type_name() == "Sigmoid"]
    head = sigmoids[-1].split("/", 1)[0]
    names = (one.get_friendly_name() for one in operations)
    return sorted(
        {*sigmoids, *(name for name in names if name.startswith((f"{head}/", f"{head}.dfl")))}
    )


def calibration() -> list[Any]:
    """Frames of the scene as the network sees them, float32 (1, 3, 640, 640)."""
    frames = list(WalkingPeople(2, CALIBRATION_FRAMES))
    inputs = []
    for frame in frames:
        box = Letterbox.into(frame.size_wh, (DEFAULT_PX, DEFAULT_PX))
        image = box.apply(frame.image_bgr)[..., ::-1].transpose(2, 0, 1)[None]
        inputs.append(np.ascontiguousarray(image, dtype=np.float32) / 255)
    return inputs


def kept_folder(network: str, kind: str) -> Path:
    """Where a converted network lies, by versions; ultralytics knows its form by the ending."""
    versions = "-".join(known_version(name) for name in ("ultralytics", "openvino", "torch"))
    name = f"{network}-{kind}-{versions}{FOLDER_ENDING}"
    return made(cache_folder() / "benchmarks") / name


def made(folder: Path) -> Path:
    """The folder, there if it was not."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder
