"""The checkpoints that ultralytics publishes: where they may lie, and how to get them."""

import json
import logging
import os
import re
import threading
import time
from pathlib import Path

from livepose.errors import WeightsError
from livepose.weights.fetching import download, file_sha256, is_offline
from livepose.weights.places import downloads_folder, expanded, is_cache_lasting

logger = logging.getLogger(__name__)

DEFAULT = "yolo11n"
NAME = re.compile(r"yolo(v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])")
ADDRESS = "https://github.com/ultralytics/assets/releases/download/v8.3.0/"
ADDRESS_26 = "https://github.com/ultralytics/assets/releases/download/v8.4.0/"
SHA256 = {"yolo11n": "0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1"}
SIZES = {"yolo11n": 5_613_764}
"""Bytes. Both of the published files, where known."""
MOST_BYTES = 200_000_000
AUTO_LIMIT_S = 5.0
"""So long may a start be held up by a download that nobody asked for ..."""
ASKED_LIMIT_S = 300.0
"""... and so long by one that somebody did."""
A_DAY_S = 86_400.0


def is_official(name: str) -> bool:
    """Whether this is the name of a detection checkpoint by ultralytics, ``yolo11n`` or so."""
    return NAME.fullmatch(name.removesuffix(".pt")) is not None


def find_official(name: str) -> Path | None:
    """The checkpoint in livepose's cache, the working folder, or ultralytics' own folder.

    A file whose hash is known and does not fit is passed over.
    """
    folders = [downloads_folder(), Path(), *_ultralytics_folder()]
    paths = (folder / f"{name}.pt" for folder in folders)
    return next((path for path in paths if path.is_file() and is_genuine(name, path)), None)


def fetch_official(name: str, limit_s: float = ASKED_LIMIT_S) -> Path | None:
    """Downloads the checkpoint into the cache; None, with a reason told, when that fails.

    The whole of it, looking the host up included, takes ``limit_s`` at most. With LIVEPOSE_OFFLINE
    or YOLO_OFFLINE set, none is tried.
    """
    if is_offline():
        return None
    url = (ADDRESS_26 if name.startswith("yolo26") else ADDRESS) + f"{name}.pt"
    target = downloads_folder() / f"{name}.pt"
    sha256, most_bytes = SHA256.get(name, ""), SIZES.get(name, MOST_BYTES)
    logger.info(f"fetching {url} (at most {most_bytes / 1e6:.1f} MB, {limit_s:g} s)")
    answer: list[Path | str] = []

    def load() -> None:
        try:
            answer.append(
                download(url, target, sha256=sha256, limit_s=limit_s, most_bytes=most_bytes)
            )
        except WeightsError as error:
            answer.append(str(error))

    # In a thread, because a name server that does not answer cannot be given a time limit.
    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    thread.join(limit_s)
    found = answer[0] if answer else f"{url} was not there within {limit_s:g} s"
    if isinstance(found, Path):
        return found
    logger.info(found)
    return None


def fetch_once_a_day() -> Path | None:
    """The default checkpoint, tried for within ``AUTO_LIMIT_S``; after a failure not for a day."""
    tried = downloads_folder() / f"{DEFAULT}.tried"
    if is_offline() or not is_cache_lasting():
        return None
    try:
        tried.parent.mkdir(parents=True, exist_ok=True)
        if tried.exists() and time.time() - tried.stat().st_mtime < A_DAY_S:
            return None
        tried.touch()
    except OSError:  # what cannot be remembered would be tried at every start
        return None
    found = fetch_official(DEFAULT, AUTO_LIMIT_S)
    if found is not None:
        tried.unlink(missing_ok=True)
    return found


def is_genuine(name: str, path: Path) -> bool:
    """Whether the file has the hash of the published one; true where none is known."""
    return name not in SHA256 or file_sha256(path) == SHA256[name]


def _ultralytics_folder() -> list[Path]:
    """Where ultralytics itself keeps weights, by its settings file."""
    base = os.environ.get("YOLO_CONFIG_DIR") or os.environ.get("XDG_CONFIG_HOME")
    settings = expanded(base or "~/.config") / "Ultralytics" / "settings.json"
    try:
        folder = json.loads(settings.read_text(encoding="utf-8")).get("weights_dir")
    except (OSError, ValueError, AttributeError, RecursionError):
        return []
    return [Path(folder)] if isinstance(folder, str) else []
