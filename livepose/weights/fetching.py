"""Downloads that resume, are verified, and never leave half a file under the final name."""

import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from livepose.errors import WeightsError
from livepose.weights.manifest import Known
from livepose.weights.places import downloads_folder

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be (None if not known)."""

TIMEOUT_S = 15.0
"""Of one answer of the server ..."""
LIMIT_S = 3600.0
"""... and of everything."""
MOST_BYTES = 1 << 30
CHUNK = 1 << 18
USER_AGENT = "livepose"


class InterruptedDownloadError(Exception):
    """The connection ended before the file did."""


def fetch(known: Known, progress: Progress | None = None, folder: Path | None = None) -> Path:
    """Downloads one file of the manifest, or finds it downloaded and right already.

    WeightsError if it has to be downloaded by hand, cannot be reached, or is not what it should be.
    """
    if not known.fetchable:
        file = known.file or "the file"
        raise WeightsError(
            f"{known.name} can only be downloaded by hand: get {file} from {known.folder} and run "
            f"'livepose weights import FILE --family {known.family} --input "
            f"{known.input_hw[0]}x{known.input_hw[1]}'"
        )
    target = (folder or downloads_folder()) / known.file
    if target.is_file() and file_sha256(target).startswith(known.sha256):
        return target
    if is_offline():
        raise WeightsError(
            f"{known.file} is not on this machine, and LIVEPOSE_OFFLINE forbids to fetch it"
        )
    return download(
        known.url, target, sha256=known.sha256, most_bytes=known.most_bytes, progress=progress
    )


def is_offline() -> bool:
    """Whether nobody is to be asked for anything: LIVEPOSE_OFFLINE or YOLO_OFFLINE is set."""
    values = (os.environ.get(name, "") for name in ("LIVEPOSE_OFFLINE", "YOLO_OFFLINE"))
    return any(value.lower() not in ("", "0", "false", "no", "off") for value in values)


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
    limit_s: float = LIMIT_S,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Downloads ``url`` to ``target`` by way of ``target.part``.

    A part file that is there is continued if the server can. A connection that breaks off is taken
    up again as long as each try brings something; a server that is not reached at all ends it at
    once. ``sha256`` is the whole hash or its first digits; a file with another is deleted. More
    than ``most_bytes``, or ``limit_s`` in all, is not waited for. WeightsError if the server is not
    reached, refuses, or sends something else; or the disk is full.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"only http and https addresses can be fetched, got {url}")
    part = target.with_name(target.name + ".part")
    limits = Limits(min(timeout_s, limit_s), time.monotonic() + limit_s, most_bytes, progress)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _until_complete(url, part, limits)
        got = file_sha256(part)
        if not got.startswith(sha256.lower()):
            part.unlink()
            raise WeightsError(
                f"what came from {url} is not the published file (SHA-256 {sha256}… expected, got "
                f"{got[: max(8, len(sha256))]}…); it was deleted, try again"
            )
        part.replace(target)
    except OSError as error:
        raise WeightsError(f"cannot write {target}: {error}") from None
    return target


@dataclass(frozen=True)
class Limits:
    """When a download is given up, and who is told how far it is."""

    timeout_s: float
    until_s: float
    most_bytes: int
    progress: Progress | None

    def require(self, url: str, position: int) -> None:
        """Raises WeightsError when it takes too long, or is too large."""
        if position > self.most_bytes:
            raise WeightsError(
                f"{url} sends more than the {self.most_bytes:,} bytes that were expected; it was "
                "given up and deleted"
            )
        if time.monotonic() > self.until_s:
            raise WeightsError(
                f"{url} takes too long; {position:,} bytes are kept, run the same command again "
                "to go on"
            )


def _until_complete(url: str, part: Path, limits: Limits) -> None:
    while True:
        before = _size(part)
        try:
            _continue(url, part, limits)
            return
        except InterruptedDownloadError as error:
            if _size(part) <= before:
                raise WeightsError(
                    f"the download of {url} broke off at {_size(part):,} bytes ({error}); what is "
                    "there is kept, run the same command again to go on"
                ) from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _continue(url: str, part: Path, limits: Limits) -> None:
    """One connection: from where the part file ends, or from the start if the server wants so."""
    have = _size(part)
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  (scheme is checked)
    try:
        response = urllib.request.urlopen(request, timeout=limits.timeout_s)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            _settle_overlong(part, error.headers.get("Content-Range", ""))
            return
        raise WeightsError(f"{url} cannot be fetched: the server says {error}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise WeightsError(
            f"{url} cannot be reached ({reason}); is this machine online? A file that was "
            "downloaded elsewhere can be brought in with 'livepose weights import FILE'"
        ) from None
    with response:
        _receive(response, part, have, limits)


def _settle_overlong(part: Path, content_range: str) -> None:
    """The server has nothing after the part file: it is complete, or it is too long."""
    if content_range != f"bytes */{_size(part)}":
        part.unlink()
        raise InterruptedDownloadError("the part file did not fit, so it was deleted")


def _receive(response: HTTPResponse, part: Path, have: int, limits: Limits) -> None:
    start, total = _extent(response, have)
    with part.open("r+b" if part.exists() else "wb") as file:
        file.truncate(start)
        file.seek(start)
        try:
            end = _copy(response, file, start, total, limits)
        except WeightsError:
            if file.tell() > limits.most_bytes or (total or 0) > limits.most_bytes:
                part.unlink()
            raise
        file.flush()
        os.fsync(file.fileno())
    if total is not None and end != total:
        raise InterruptedDownloadError(f"{total:,} were promised")


def _extent(response: HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where in the file the body begins, and how long the whole file is."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) > have:
            raise WeightsError(f"{response.url} answered with a wrong range; try again later")
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length")
    return 0, int(length) if length and length.isdigit() else None


def _copy(
    response: HTTPResponse, file: BinaryIO, position: int, total: int | None, limits: Limits
) -> int:
    """Body to file; returns the position reached. Raises if the connection breaks."""
    limits.require(response.url, total or 0)
    while True:
        limits.require(response.url, position)
        if limits.progress is not None:
            limits.progress(position, total)
        try:
            chunk = response.read1(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise InterruptedDownloadError(str(error) or type(error).__name__) from None
        if not chunk:
            return position
        file.write(chunk)
        position += len(chunk)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
