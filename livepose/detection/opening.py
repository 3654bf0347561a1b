"""Opening a detector by name or file."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.detection.detections import Detector
from livepose.detection.official import (
    DEFAULT,
    fetch_official,
    fetch_once_a_day,
    find_official,
    is_official,
)
from livepose.detection.protocol import MOST_INPUT_PX, DetectorInfo, Engine, person_class
from livepose.detection.yolo import YoloDetector
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.paths import exists
from livepose.runtimes.select import cuda_devices
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file, expanded

if TYPE_CHECKING:
    from livepose.detection.checkpoint import Loaded
    from livepose.runtimes.frames import DeviceFrames

logger = logging.getLogger(__name__)

COCO_CLASSES = 80
OWN_SUFFIXES = (".pt", SUFFIX)
EXPORTED_SUFFIXES = (".xml", ".onnx")


def open_detector(
    name: str | Path = "auto",
    device: str = "auto",
    size_px: int | None = None,
    score_threshold: float | None = None,
    frames: "DeviceFrames | None" = None,
    offline: bool = False,
) -> Detector | None:
    """A detector of people.

    Parameters
    ----------
    name : str or Path
        ``auto``: the official YOLO11n if it is on this machine or can be fetched, else the embedded
        one. ``none``: no detector. Else ``embedded``, the name of a detection checkpoint by
        ultralytics, or a file: .pt, .safetensors, .onnx, .xml or a folder exported to OpenVINO.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    size_px : int, optional
        Longer side of the network's input, None for what suits weights and picture; only then
        is there a second scale, see ``small_people``.
    score_threshold : float, optional
        Lowest score of a box, None for ultralytics' own 0.25.
    frames : DeviceFrames, optional
        Pictures on a GPU that the pose network reads too: each is then uploaded once.
    offline : bool
        Whether nothing may be fetched; so too with LIVEPOSE_OFFLINE set.

    Returns
    -------
    Detector or None
        None for ``none``.

    Raises
    ------
    WeightsError
        When the weights are missing or wrong.
    DeviceError
        When the device is not there.
    UsageError
        When the input would be larger than any detector's.
    """
    if size_px is not None and not 1 <= size_px <= MOST_INPUT_PX:
        raise UsageError(f"--detector-size: expected 1 to {MOST_INPUT_PX} pixels, got {size_px}")
    if str(name) == "none":
        logger.info("detector: none, the whole picture is one person")
        return None
    if str(name) == "auto":
        official = find_official(DEFAULT) if has_torch() else None  # published files are torch's
        if official is None and has_torch() and not offline:
            official = fetch_once_a_day()
        detector = _open_auto(official, device, size_px, score_threshold, frames)
    else:
        path = _find(str(name), offline)
        detector = open_file(path, device, size_px, score_threshold, frames)
    logger.info(f"detector: {detector.name}, {detector.engine.name}")
    return detector


def choose_device(device: str) -> str:
    """The torch device that is meant.

    Raises
    ------
    DeviceError
        When it was asked for and is not there.
    """
    if device == "auto":
        return "cuda:0" if cuda_devices() else "cpu"
    if device == "cpu":
        return device
    import torch

    kind, _, number = device.partition(":")
    there = {
        "cuda": torch.cuda.device_count(),
        "mps": int(torch.backends.mps.is_available()),
    }
    if there.get(kind, 0) <= (int(number) if number.isdigit() else 0):
        raise DeviceError(
            f"the device {device} was asked for and is not there; 'livepose doctor' says what is"
        )
    return "cuda:0" if device == "cuda" else device


def open_file(
    path: Path,
    device: str,
    size_px: int | None = None,
    score_threshold: float | None = None,
    frames: "DeviceFrames | None" = None,
) -> YoloDetector:
    """The detector in this file or exported folder.

    Raises
    ------
    WeightsError
        When it is none.
    DeviceError
        When the device is not there.
    """
    if path.is_dir() or path.suffix in EXPORTED_SUFFIXES:
        return _open_exported(_exported_in(path), device, score_threshold)
    if path.suffix not in OWN_SUFFIXES:
        wanted = ", ".join((*OWN_SUFFIXES, *EXPORTED_SUFFIXES))
        raise WeightsError(f"{path} does not look like a detector; expected {wanted} or a folder")
    engine, info = _engine_where_it_runs(path, device, frames)
    return YoloDetector(
        engine,
        path.stem,
        info.person,
        info.classes,
        size_px or info.input_px,
        score_threshold,
        adapts=size_px is None,
    )


def _open_auto(
    official: Path | None,
    device: str,
    size_px: int | None,
    score_threshold: float | None,
    frames: "DeviceFrames | None",
) -> YoloDetector:
    if official is not None:
        try:
            detector = open_file(official, device, size_px, score_threshold, frames)
        except WeightsError as error:
            logger.warning(f"{error}; the embedded detector is used instead")
        else:
            detector.name = f"official {DEFAULT} ({official})"
            return detector
    return open_file(_embedded(), device, size_px, score_threshold, frames)


def _embedded() -> Path:
    path = embedded_file(DEFAULT_DETECTOR + SUFFIX)
    if path is None:
        raise WeightsError(
            f"the embedded detector {DEFAULT_DETECTOR}{SUFFIX} is missing from this installation, "
            f"and {DEFAULT}.pt is neither here nor could it be fetched; name a file with "
            "--detector FILE, or take the whole picture with --detector none"
        )
    return path


def has_torch() -> bool:
    """Whether torch and ultralytics are installed; neither is loaded."""
    return find_spec("torch") is not None and find_spec("ultralytics") is not None


def _find(name: str, offline: bool) -> Path:
    path = expanded(name)
    if exists(path):
        return path
    if name in ("embedded", DEFAULT_DETECTOR):
        return _embedded()
    if is_official(name):
        stem = name.removesuffix(".pt")
        found = find_official(stem) or (None if offline else fetch_official(stem))
        if found is not None:
            return found
        raise WeightsError(
            f"{stem}.pt is not on this machine and could not be fetched; download it from "
            "github.com/ultralytics/assets and name the file with --detector FILE"
        )
    raise WeightsError(
        f"there is no detector {name!r}; expected auto, none, embedded, a name such as yolo11n, or "
        "a file"
    )


def _engine_where_it_runs(
    path: Path, device: str, frames: "DeviceFrames | None"
) -> tuple[Engine, DetectorInfo]:
    """The network on this device; with ``auto`` on the processor where the GPU is of no use."""
    where = choose_device(device)
    try:
        return _engine(path, where, frames)
    except DeviceError as error:
        if device != "auto" or where == "cpu":
            raise
        logger.warning(f"detector: not on {where}: {error}; the processor runs it")
        return _engine(path, "cpu", None)


def _engine(path: Path, device: str, frames: "DeviceFrames | None") -> tuple[Engine, DetectorInfo]:
    """The network in a file of ours or a .pt, ready; torch is loaded only where it has to be."""
    if device != "cpu":
        return _engine_on_gpu(path, device, frames)
    try:
        from livepose.detection.conversion import convert
    except ImportError as error:
        logger.warning(f"OpenVINO cannot be imported ({error}); torch runs the detector")
        return _torch_engine(path, device)
    try:
        return convert(path)
    except RuntimeError as error:
        logger.warning(
            f"OpenVINO cannot take the detector ({str(error).splitlines()[0]}); torch runs it"
        )
        return _torch_engine(path, device)


def _load(path: Path) -> "Loaded":
    from livepose.detection.checkpoint import load_detector

    return load_detector(path)


def _torch_engine(path: Path, device: str) -> tuple[Engine, DetectorInfo]:
    from livepose.detection.torch_engine import TorchEngine

    loaded = _load(path)
    return TorchEngine(loaded.model, device), loaded.info


def _engine_on_gpu(
    path: Path, device: str, frames: "DeviceFrames | None"
) -> tuple[Engine, DetectorInfo]:
    """The network on a GPU, once it has shown that it sees there what it sees on the processor."""
    from livepose.detection.check import probe_picture, require_same_predictions

    on_cpu, info = _torch_engine(path, "cpu")
    probed = on_cpu(probe_picture())
    if device.startswith("cuda"):
        engine = _cuda_engine(path, device, info, frames)
    else:
        engine, _ = _torch_engine(path, device)
    require_same_predictions(engine, probed, info.person)
    return engine, info


def _cuda_engine(
    path: Path, device: str, info: DetectorInfo, frames: "DeviceFrames | None"
) -> Engine:
    import torch

    from livepose.detection.cuda_engine import CudaEngine
    from livepose.runtimes.cuda_graph import CudaStream
    from livepose.runtimes.frames import DeviceFrames

    if frames is None or frames.stream.device != torch.device(device):
        frames = DeviceFrames(CudaStream(device))
    return CudaEngine(_load(path).model, info.person, frames)


def _exported_in(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.xml"))
    if len(found) != 1:
        raise WeightsError(
            f"{path} holds {len(found)} .xml files; expected the one of a network exported to "
            "OpenVINO by ultralytics"
        )
    return found[0]


def _open_exported(path: Path, device: str, score_threshold: float | None) -> YoloDetector:
    if device not in ("auto", "cpu"):
        raise DeviceError(
            f"{path.name} runs on the processor only, and {device} was asked for; use a .pt file "
            "or --device cpu"
        )
    try:
        from livepose.detection.openvino_engine import exported_engine, read_exported
    except ImportError as error:
        raise DeviceError(
            f"{path.name} needs OpenVINO, which cannot be imported ({error}); install it with "
            "'pip install openvino', or use a .pt file"
        ) from None
    model = read_exported(path)
    classes = model.output().get_partial_shape()[1].get_length() - 4
    names = _names(path.with_name("metadata.yaml"), classes)
    return YoloDetector(
        exported_engine(path, model),
        path.stem,
        person_class(names, path),
        classes,
        None,
        score_threshold,
    )


def _names(metadata: Path, classes: int) -> dict[int, str]:
    """Names of the classes; without metadata the first is taken for person, as in COCO."""
    if not metadata.is_file():
        return {0: "person"}
    if not has_torch():
        raise WeightsError(
            f"{metadata} is read by ultralytics, which is not installed; install it with "
            "'pip install livepose[torch]', or name the .xml file alone"
        )
    from livepose.detection.library import ultralytics

    told = ultralytics().YAML.load(metadata)
    if told.get("task", "detect") != "detect":
        raise WeightsError(f"{metadata.parent} holds a {told['task']} network; wanted: detect")
    return {int(index): str(name) for index, name in (told.get("names") or {}).items()}
