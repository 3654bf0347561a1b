"""Opening a detector by name or file."""

import logging
from collections.abc import Callable
from pathlib import Path

from livepose.detection.official import (
    DEFAULT,
    fetch_official,
    fetch_once_a_day,
    find_official,
    is_official,
)
from livepose.detection.protocol import (
    MOST_INPUT_PX,
    Detector,
    DetectorInfo,
    Engine,
    person_class,
)
from livepose.detection.stored import has_torch, require_torch
from livepose.detection.yolo import YoloDetector
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.paths import exists
from livepose.runtimes.select import check_device, cuda_devices
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file, expanded

logger = logging.getLogger(__name__)

OWN_SUFFIXES = (".pt", SUFFIX)
EXPORTED_SUFFIXES = (".xml", ".onnx")
EMBEDDED = DEFAULT_DETECTOR + SUFFIX


def open_detector(
    name: str | Path = "auto",
    device: str = "auto",
    size_px: int | None = None,
    score_threshold: float | None = None,
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
        When the input would be larger than any detector's, or there is no device of that name.
    """
    if size_px is not None and not 1 <= size_px <= MOST_INPUT_PX:
        raise UsageError(f"--detector-size: expected 1 to {MOST_INPUT_PX} pixels, got {size_px}")
    if str(name) == "none":
        logger.info("detector: none, the whole picture is one person")
        return None

    def open_one(path: Path) -> YoloDetector:
        return open_file(path, device, size_px, score_threshold)

    if str(name) == "auto":
        detector = _open_auto(open_one, offline)
    else:
        detector = open_one(_find(str(name), offline))
    logger.info(f"detector: {detector.name}, {detector.engine.name}")
    return detector


def open_file(
    path: Path,
    device: str,
    size_px: int | None = None,
    score_threshold: float | None = None,
) -> YoloDetector:
    """The detector in this file or exported folder.

    WeightsError when it is none. DeviceError when the device is not there.
    """
    if path.is_dir() or path.suffix in EXPORTED_SUFFIXES:
        return _open_exported(_exported_in(path), device, score_threshold)
    if path.suffix not in OWN_SUFFIXES:
        wanted = ", ".join((*OWN_SUFFIXES, *EXPORTED_SUFFIXES))
        raise WeightsError(f"{path} does not look like a detector; expected {wanted} or a folder")
    engine, info = _engine_where_it_runs(path, device)
    return YoloDetector(
        engine,
        path.stem,
        info.person,
        info.classes,
        size_px or info.input_px,
        score_threshold,
        adapts=size_px is None,
    )


def _open_auto(open_one: Callable[[Path], YoloDetector], offline: bool) -> YoloDetector:
    official = find_official(DEFAULT) if has_torch() else None  # published files are torch's
    if official is None and has_torch() and not offline:
        official = fetch_once_a_day()
    if official is not None:
        try:
            detector = open_one(official)
        except WeightsError as error:
            logger.warning(f"{error}; the embedded detector is used instead")
        else:
            detector.name = f"official {DEFAULT} ({official})"
            return detector
    return open_one(_embedded())


def _embedded() -> Path:
    path = embedded_file(EMBEDDED)
    if path is None:
        raise WeightsError(
            f"the embedded detector {EMBEDDED} is missing from this installation, and {DEFAULT}.pt "
            "is neither here nor could it be fetched; name a file with --detector FILE, or take "
            "the whole picture with --detector none"
        )
    return path


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


def _engine_where_it_runs(path: Path, device: str) -> tuple[Engine, DetectorInfo]:
    """The network on this device; with ``auto`` on the processor where the GPU is of no use."""
    place = check_device(device)
    if place == "auto" and cuda_devices():
        try:
            return _engine_on_gpu(path, "cuda:0")
        except DeviceError as error:
            logger.warning(f"detector: not on cuda:0: {error}; the processor runs it")
    if place in ("auto", "cpu"):
        return _engine_on_cpu(path)
    return _engine_on_gpu(path, place)


def _engine_on_cpu(path: Path) -> tuple[Engine, DetectorInfo]:
    """OpenVINO runs it, or torch, which is loaded only where it has to be."""
    try:
        from livepose.detection import openvino_engine

        return openvino_engine.open_checkpoint(path)
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        logger.warning(f"OpenVINO cannot take the detector ({reason}); torch runs it")
    from livepose.detection.checkpoint import load_detector
    from livepose.detection.torch_engine import TorchEngine

    loaded = load_detector(path)
    return TorchEngine(loaded.model, "cpu"), loaded.info


def _engine_on_gpu(path: Path, device: str) -> tuple[Engine, DetectorInfo]:
    """The network on a GPU, once it has shown that it sees there what it sees on the processor."""
    from livepose.detection.check import probe_picture, require_same_predictions
    from livepose.detection.checkpoint import load_detector
    from livepose.detection.torch_engine import TorchEngine

    loaded = load_detector(path)
    probed = TorchEngine(loaded.model, "cpu")(probe_picture())
    engine = TorchEngine(loaded.model, device)
    require_same_predictions(engine, probed, loaded.info.person)
    return engine, loaded.info


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
    from livepose.detection.openvino_engine import open_exported

    engine, classes = open_exported(path)
    person = person_class(_names(path.with_name("metadata.yaml")), path)
    return YoloDetector(engine, path.stem, person, classes, None, score_threshold)


def _names(metadata: Path) -> dict[int, str]:
    """Names of the classes; without metadata the first is taken for person, as in COCO."""
    if not metadata.is_file():
        return {0: "person"}
    require_torch(metadata)
    from livepose.detection.library import ultralytics

    told = ultralytics().YAML.load(metadata)
    if told.get("task", "detect") != "detect":
        raise WeightsError(f"{metadata.parent} holds a {told['task']} network; wanted: detect")
    return {int(index): str(name) for index, name in (told.get("names") or {}).items()}
