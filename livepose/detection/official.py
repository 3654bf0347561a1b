"""The checkpoints that ultralytics publishes: where they may lie, and how to get them."""

import hashlib
import json
import logging
import os
import re
import socket
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from livepose.errors import WeightsError
from livepose.weights.fetching import download
from livepose.weights.places import downloads_folder, expanded

logger = logging.getLogger(__name__)

DEFAULT = "yolo11n"
NAME = re.compile(r"yolo(v8[nsmlx]|v9[tsmce]|v10[nsmblx]|11[nsmlx]|12[nsmlx]|26[nsmlx])")
ADDRESS = "https://github.com/ultralytics/assets/releases/download/v8.3.0/"
ADDRESS_26 = "https://github.com/ultralytics/assets/releases/download/v8.4.0/"
GIT_HASHES = {"yolo11n": "45b273b46165267f2d4c90df94468b547f43cf67"}
"""``git hash-object`` of the published files, where known."""
CONNECT_S = 3.0
"""Nobody waits longer than this to learn that there is no network."""


def is_official(name: str) -> bool:
    """Whether this is the name of a detection checkpoint by ultralytics, ``yolo11n`` or so."""
    return NAME.fullmatch(name.removesuffix(".pt")) is not None


def find_official(name: str) -> Path | None:
    """The checkpoint in livepose's cache, the working folder, or ultralytics' own folder.

    A file whose hash is known and does not fit is passed over.
    """
    folders = [downloads_folder(), Path.cwd(), *_ultralytics_folder()]
    paths = (folder / f"{name}.pt" for folder in folders)
    return next((path for path in paths if path.is_file() and is_genuine(name, path)), None)


def fetch_official(name: str) -> Path | None:
    """Downloads the checkpoint into the cache; None, with a reason told, when that fails.

    Without a network the answer comes within ``CONNECT_S``. With LIVEPOSE_OFFLINE or YOLO_OFFLINE
    set, none is tried.
    """
    url = (ADDRESS_26 if name.startswith("yolo26") else ADDRESS) + f"{name}.pt"
    if _forbidden() or not reachable(url, CONNECT_S):
        return None
    target = downloads_folder() / f"{name}.pt"
    logger.info(f"fetching {url}")
    try:
        path = download(url, target, timeout_s=CONNECT_S)
    except WeightsError as error:
        logger.info(str(error))
        return None
    if not is_genuine(name, path):
        path.unlink()
        logger.warning(f"what came from {url} is not the published file; it was deleted")
        return None
    return path


def is_genuine(name: str, path: Path) -> bool:
    """Whether the file has the hash of the published one; true where none is known."""
    wanted = GIT_HASHES.get(name)
    return wanted is None or git_hash(path) == wanted


def git_hash(path: Path) -> str:
    """What ``git hash-object`` says of a file."""
    content = path.read_bytes()
    digest = hashlib.sha1(b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest()


def reachable(url: str, timeout_s: float) -> bool:
    """Whether a connection to the server (or to the proxy on the way) opens in that time.

    Asked in a thread, because a name server that does not answer cannot be given a time limit.
    """
    proxy = urllib.request.getproxies().get(urlsplit(url).scheme)
    parts = urlsplit(proxy if proxy else url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    answer: list[bool] = []

    def knock() -> None:
        try:
            with socket.create_connection((parts.hostname or "", port), timeout=timeout_s):
                answer.append(True)
        except OSError:
            answer.append(False)

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(timeout_s)
    return bool(answer) and answer[0]


def _forbidden() -> bool:
    values = (os.environ.get(name, "") for name in ("LIVEPOSE_OFFLINE", "YOLO_OFFLINE"))
    return any(value.lower() not in ("", "0", "false", "no", "off") for value in values)


def _ultralytics_folder() -> list[Path]:
    """Where ultralytics itself keeps weights, by its settings file."""
    base = os.environ.get("YOLO_CONFIG_DIR") or os.environ.get("XDG_CONFIG_HOME")
    settings = expanded(base or "~/.config") / "Ultralytics" / "settings.json"
    try:
        folder = json.loads(settings.read_text(encoding="utf-8")).get("weights_dir")
    except (OSError, ValueError, AttributeError):
        return []
    return [Path(folder)] if isinstance(folder, str) else []
