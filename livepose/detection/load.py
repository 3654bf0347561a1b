"""Opening a detector by name or file, on the device that is there."""

import logging
import re
import time
from copy import deepcopy
from pathlib import Path

from livepose.detection.detector import Detector, Engine, YoloDetector
from livepose.detection.files import MOST_INPUT_PX, DetectorInfo, has_torch, require_torch
from livepose.errors import DeviceError, UsageError, WeightsError
from livepose.paths import exists, expanduser
from livepose.runtimes.select import check_device, cuda_devices
from livepose.weights.fetching import download, is_offline
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, downloads_folder, embedded_file

logger = logging.getLogger(__name__)

OFFICIAL = "yolo11n"
"""ultralytics' checkpoint, which ``auto`` takes where it can be had."""
_NAMES = re.compile(r"yolo(v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])")
"""All of theirs that find people."""
_RELEASES = "https://github.com/ultralytics/assets/releases/download"
_SHA256 = {OFFICIAL: "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"}
_BYTES = {OFFICIAL: 5_613_764}
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

    ``name`` is as in ``detector_file``. ``device`` is ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or
    ``mps``. ``size_px`` is the longer side of the network's input, None for what suits weights and
    image: only then is there a second scale. ``score_threshold`` is the lowest score of a box, None
    for ultralytics' own 0.25. With ``offline``, or LIVEPOSE_OFFLINE set, nothing is fetched.

    WeightsError when the weights are missing or wrong, DeviceError when the device is not there,
    UsageError when it is none, or the input would be larger than any detector's.
    """
    if size_px is not None and not 1 <= size_px <= MOST_INPUT_PX:
        raise UsageError(f"--detector-size: expected 1 to {MOST_INPUT_PX} pixels, got {size_px}")
    path = detector_file(str(name), offline)
    if path is None:
        logger.info("detector: none, the whole image is one person")
        return None
    engine, info = _open(path, device)
    logger.info(f"detector: {path.stem}, {engine.name}")
    return YoloDetector(engine, path.stem, info, size_px, score_threshold)


def detector_file(name: str, offline: bool) -> Path | None:
    """The file or folder of a detector; None for ``none``.

    ``name`` is ``auto`` (the official YOLO11n if it is here or can be fetched, else the embedded
    one), ``none``, ``embedded``, the name of a detection checkpoint by ultralytics, or a file: .pt,
    .safetensors, .onnx, .xml or a folder exported to OpenVINO. WeightsError when it is not there.
    """
    path = Path(expanduser(name))
    if name == "none":
        return None
    if name == "auto" and (official := _official_or_none(offline)):
        return official
    if name in ("auto", "embedded", DEFAULT_DETECTOR):
        embedded = embedded_file(DEFAULT_DETECTOR + SUFFIX)
        if embedded is None:
            raise WeightsError(
                f"the embedded detector {DEFAULT_DETECTOR}{SUFFIX} is missing from this "
                "installation; name a file with --detector FILE, or take the whole image with "
                "--detector none"
            )
        return embedded
    if exists(path):
        return path
    if _NAMES.fullmatch(name.removesuffix(".pt")):
        return _published(name.removesuffix(".pt"), _ASKED_LIMIT_S, offline)
    raise WeightsError(
        f"there is no detector {name!r}; expected auto, none, embedded, a name such as {OFFICIAL}, "
        "or a file"
    )


def _published(name: str, limit_s: float, offline: bool) -> Path:
    """A checkpoint by ultralytics, from livepose's cache or else fetched."""
    target, sha256 = downloads_folder() / f"{name}.pt", _SHA256.get(name, "")
    if not sha256 and target.is_file():
        return target
    release = "v8.4.0" if name.startswith("yolo26") else "v8.3.0"
    return download(
        f"{_RELEASES}/{release}/{name}.pt",
        target,
        sha256=sha256,
        offline=offline,
        limit_s=limit_s,
        most_bytes=_BYTES.get(name, _MOST_BYTES),
    )


def _official_or_none(offline: bool) -> Path | None:
    """The official checkpoint: found, or tried for briefly; after a failure not for a day."""
    if not has_torch():  # which alone opens it
        return None
    tried = downloads_folder() / f"{OFFICIAL}.tried"
    try:
        lately = tried.exists() and time.time() - tried.stat().st_mtime < _A_DAY_S
        offline = offline or is_offline() or lately
        if not offline:
            tried.parent.mkdir(parents=True, exist_ok=True)
            tried.touch()
    except OSError:  # what cannot be remembered would be tried at every start
        offline = True
    try:
        return _published(OFFICIAL, _AUTO_LIMIT_S, offline)
    except WeightsError as error:
        if not offline:
            logger.info(str(error))
        return None


def _open(path: Path, device: str) -> tuple[Engine, DetectorInfo]:
    """The network in this file or exported folder, on this device."""
    if path.is_dir():
        path = next(path.glob("*.xml"), path)
    if path.suffix in (".xml", ".onnx"):
        if device not in ("auto", "cpu"):
            raise DeviceError(
                f"{path.name} runs on the processor only, and {device} was asked for; use a .pt "
                "file or --device cpu"
            )
        from livepose.detection.openvino_engine import open_exported

        return open_exported(path)
    if path.suffix not in (".pt", SUFFIX):
        raise WeightsError(
            f"{path} does not look like a detector; expected .pt, {SUFFIX}, .xml, .onnx or a folder"
            " that ultralytics exported to OpenVINO"
        )
    place = check_device(device)
    if place == "auto" and has_torch() and cuda_devices():
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
    require_torch(path)
    from livepose.detection.checkpoint import TorchEngine, load_detector
    from livepose.detection.openvino_engine import require_same_people

    model, info = load_detector(path)
    engine = TorchEngine(deepcopy(model), device)
    require_same_people(engine, TorchEngine(model, "cpu"), info.person)
    return engine, info
