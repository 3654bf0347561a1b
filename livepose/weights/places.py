"""Where weights lie: embedded in the package, or in the user's cache."""

import difflib
import os
import sys
from pathlib import Path

from livepose.errors import WeightsError
from livepose.files import temporary_folder
from livepose.paths import exists, expanduser, is_file

DEFAULT_POSE = "pose_hrnet_w32_128x96"
DEFAULT_DETECTOR = "person_yolo11n"
SUFFIX = ".safetensors"
HUB = "hf://"
TORCH_SUFFIXES = (".pth", ".pt", ".tar", ".ckpt", ".bin")
_PACKAGE = Path(__file__).resolve().parent.parent
_RUNNABLE = (SUFFIX, ".onnx", ".xml")


def cache_folder() -> Path:
    """The user's cache: LIVEPOSE_CACHE, else the platform's own place. It may not exist yet.

    Who has no home gets one among temporary files; WeightsError where that is another user's.
    """
    try:
        if chosen := os.environ.get("LIVEPOSE_CACHE"):
            return Path(chosen).expanduser()
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "livepose"
        if sys.platform == "win32":
            local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
            return Path(local) / "livepose" / "Cache"
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "livepose"
    except RuntimeError:  # neither HOME nor an entry in passwd
        try:
            return temporary_folder()
        except OSError as error:
            raise WeightsError(f"{error}; set LIVEPOSE_CACHE to a folder of your own") from None


def cached_weights_folder() -> Path:
    """Where imported weights go."""
    return cache_folder() / "weights"


def downloads_folder() -> Path:
    """Where fetched files lie as their authors made them."""
    return cache_folder() / "downloads"


def embedded_folder() -> Path:
    """The weights that come with livepose: in the wheel, or in a checkout."""
    folder = _PACKAGE / "_weights"
    return folder if folder.is_dir() else _PACKAGE.parent / "weights"


def embedded_file(filename: str) -> Path | None:
    """The file of this name that comes with livepose, if there is one."""
    path = embedded_folder() / filename
    return path if is_file(path) else None


def find_weights(name_or_path: str, *, offline: bool = False) -> Path:
    """The file that a user means by a name, a path, or an address of the Hugging Face hub.

    "default" is the embedded pose network. A name is looked for among the embedded weights,
    then in the cache. A path may also be an ONNX or OpenVINO file. ``offline`` fetches nothing.
    WeightsError if there is none; the sentence says how to get it.
    """
    if name_or_path.startswith(HUB):
        from livepose.weights.fetching import fetch_from_hub, split_address

        _require_runnable(HUB + "/".join(split_address(name_or_path)[:2]), (SUFFIX,))
        return fetch_from_hub(name_or_path, offline=offline)
    name = DEFAULT_POSE if name_or_path == "default" else name_or_path
    path = Path(expanduser(name))
    if name != DEFAULT_POSE and exists(path):
        if path.is_dir():
            raise WeightsError(f"{path} is a folder; a weights file was expected")
        _require_runnable(str(path), _RUNNABLE)
        return path
    if len(path.parts) == 1:
        for filename in (name, name + SUFFIX):
            cached = cached_weights_folder() / filename
            if found := embedded_file(filename) or (cached if is_file(cached) else None):
                return found
    raise WeightsError(_not_found(name))


def _require_runnable(name: str, suffixes: tuple[str, ...]) -> None:
    suffix = Path(name).suffix.lower()
    if suffix in TORCH_SUFFIXES:
        raise WeightsError(
            f"{name} is a torch checkpoint; bring it in first with 'livepose weights import {name}'"
        )
    if suffix not in suffixes:
        raise WeightsError(
            f"{name} does not look like weights; {' or '.join(suffixes)} was expected"
        )


def _not_found(name: str) -> str:
    if name == DEFAULT_POSE:
        return (
            f"the embedded pose weights {name}{SUFFIX} are missing from this installation; "
            "install livepose again or name a file with --weights"
        )
    if len(Path(name).parts) > 1 or Path(name).suffix.lower() in (*_RUNNABLE, *TORCH_SUFFIXES):
        return f"there is no weights file {name}"
    from livepose.weights.manifest import known_files

    names = [entry.name for entry in known_files()]
    if name in names:
        return f"{name} is not on this machine yet; get it with 'livepose weights fetch {name}'"
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"there are no weights named {name!r}; {hint}'livepose weights list' shows all"
