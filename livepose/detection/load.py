"""Opening a detector by name or file, on the device that is there."""

import logging
import re
import time
from copy import deepcopy
from pathlib import Path

from livepose.detection.detector import Detector, Engine, YoloDetector
from livepose.detection.files import (
    MOST_INPUT_PX,
    DetectorInfo,
    exported_person,
    has_torch,
    require_torch,
)
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.paths import exists, expanduser
from livepose.runtimes.select import check_device, cuda_devices
from livepose.weights.fetching import download, file_sha256, is_offline
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, downloads_folder, embedded_file

logger = logging.getLogger(__name__)

OFFICIAL = "yolo11n"
"""What ``auto`` takes where it can be had."""
_NAMES = re.compile(r"yolo(v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])")
_RELEASES = "https://github.com/ultralytics/assets/releases/download"
_SHA256 = {OFFICIAL: "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"}
_BYTES = {OFFICIAL: 5_613_764}
"""Both of the published files, where known."""
_MOST_BYTES = 200_000_000
_AUTO_LIMIT_S, _ASKED_LIMIT_S = 5.0, 300.0
"""So long may a download hold up a start that nobody asked for, and one that somebody did."""
_A_DAY_S = 86_400.0


def open_detector(
    name: str | Path = "auto",
    device: str = "auto",
    size_px: int | None = None,
    score_threshold: float | None = None,
    offline: bool = False,
) -> Detector | None:
    """A detector of people, from weights on this machine or fetched; None for ``none``.

    ``name`` is ``auto`` (the official YOLO11n if it is here or can be fetched, else the embedded
    one), ``none``, ``embedded``, the name of a detection checkpoint by ultralytics, or a file:
    .pt, .safetensors, .onnx, .xml or a folder exported to OpenVINO. ``device`` is ``auto``,
    ``cpu``, ``cuda``, ``cuda:N`` or ``mps``. ``size_px`` is the longer side of the network's input,
    None for what suits weights and image: only then is there a second scale. ``score_threshold``
    is the lowest score of a box, None for ultralytics' own 0.25. With ``offline``, or
    LIVEPOSE_OFFLINE set, nothing is fetched.

    WeightsError when the weights are missing or wrong, DeviceError when the device is not there,
    UsageError when it is none, or the input would be larger than any detector's.
    """
    if size_px is not None and not 1 <= size_px <= MOST_INPUT_PX:
        raise UsageError(f"--detector-size: expected 1 to {MOST_INPUT_PX} pixels, got {size_px}")
    name = str(name)
    if name == "none":
        logger.info("detector: none, the whole image is one person")
        return None

    def opened(path: Path) -> Detector:
        engine, info = _open(path, device)
        logger.info(f"detector: {path.stem}, {engine.name}")
        return YoloDetector(engine, path.stem, info, size_px, score_threshold)

    if name == "auto":
        try:
            if official := _official_or_none(offline):
                return opened(official)
        except WeightsError as error:
            logger.warning(f"{error}; the embedded detector is used instead")
        name = "embedded"
    return opened(_find(name, offline))


def _find(name: str, offline: bool) -> Path:
    path, stem = Path(expanduser(name)), name.removesuffix(".pt")
    if exists(path):
        return path
    if name in ("embedded", DEFAULT_DETECTOR):
        embedded = embedded_file(DEFAULT_DETECTOR + SUFFIX)
        if embedded is None:
            raise WeightsError(
                f"the embedded detector {DEFAULT_DETECTOR}{SUFFIX} is missing from this "
                "installation; name a file with --detector FILE, or take the whole image with "
                "--detector none"
            )
        return embedded
    if not _NAMES.fullmatch(stem):
        raise WeightsError(
            f"there is no detector {name!r}; expected auto, none, embedded, a name such as "
            "yolo11n, or a file"
        )
    return find_official(stem) or _fetch_official(stem, _ASKED_LIMIT_S, offline)


def find_official(name: str) -> Path | None:
    """A checkpoint that ultralytics publishes, from livepose's cache.

    A file whose hash is known and does not fit is passed over.
    """
    path = downloads_folder() / f"{name}.pt"
    fits = path.is_file() and _SHA256.get(name) in (None, file_sha256(path))
    return path if fits else None


def _fetch_official(name: str, limit_s: float, offline: bool) -> Path:
    return download(
        f"{_RELEASES}/{'v8.4.0' if name.startswith('yolo26') else 'v8.3.0'}/{name}.pt",
        downloads_folder() / f"{name}.pt",
        sha256=_SHA256.get(name, ""),
        offline=offline,
        limit_s=limit_s,
        most_bytes=_BYTES.get(name, _MOST_BYTES),
    )


def _official_or_none(offline: bool) -> Path | None:
    """The default checkpoint: found, or tried for briefly; after a failure not for a day."""
    if not has_torch():  # published files are torch's
        return None
    if (found := find_official(OFFICIAL)) or offline or is_offline():
        return found
    tried = downloads_folder() / f"{OFFICIAL}.tried"
    try:
        tried.parent.mkdir(parents=True, exist_ok=True)
        if tried.exists() and time.time() - tried.stat().st_mtime < _A_DAY_S:
            return None
        tried.touch()
    except OSError:  # what cannot be remembered would be tried at every start
        return None
    return _fetch_official(OFFICIAL, _AUTO_LIMIT_S, offline)


def _open(path: Path, device: str) -> tuple[Engine, DetectorInfo]:
    """The network in this file or exported folder, on this device."""
    if path.is_dir():
        found = sorted(path.glob("*.xml"))
        if len(found) != 1:
            raise WeightsError(
                f"{path} holds {len(found)} .xml files; expected the one of a network exported to "
                "OpenVINO by ultralytics"
            )
        path = found[0]
    if path.suffix in (".xml", ".onnx"):
        if device not in ("auto", "cpu"):
            raise DeviceError(
                f"{path.name} runs on the processor only, and {device} was asked for; use a .pt "
                "file or --device cpu"
            )
        from livepose.detection.openvino_engine import open_exported

        engine, classes = open_exported(path)
        return engine, DetectorInfo(exported_person(path), classes)
    if path.suffix not in (".pt", SUFFIX):
        raise WeightsError(
            f"{path} does not look like a detector; expected .pt, {SUFFIX}, .xml, .onnx or a folder"
        )
    place = check_device(device)
    if place == "auto" and cuda_devices():
        try:
            return _open_on_gpu(path, "cuda:0")
        except DeviceError as error:
            logger.warning(f"detector: not on cuda:0: {error}; the processor runs it")
    elif place not in ("auto", "cpu"):
        return _open_on_gpu(path, place)
    try:
        from livepose.detection.openvino_engine import open_checkpoint

        return open_checkpoint(path)
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        logger.warning(f"OpenVINO cannot take the detector ({reason}); torch runs it")
    require_torch(path)
    from livepose.detection.checkpoint import TorchEngine, load_detector

    model, info = load_detector(path)
    return TorchEngine(model, "cpu"), info


def _open_on_gpu(path: Path, device: str) -> tuple[Engine, DetectorInfo]:
    """A checkpoint on a GPU, once it was seen to find there whom it finds on the processor."""
    from livepose.detection.checkpoint import TorchEngine, load_detector
    from livepose.detection.openvino_engine import require_same_people

    model, info = load_detector(path)
    engine = TorchEngine(deepcopy(model), device)
    require_same_people(engine, TorchEngine(model, "cpu"), info.person)
    return engine, info
