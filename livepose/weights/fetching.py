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
    if not known.url:
        raise WeightsError(
            f"{known.name} can only be downloaded by hand: get {known.file or 'the file'} from "
            f"{known.folder} and run 'livepose weights import FILE --family {known.family} --input "
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


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    until_s, timeout_s = time.monotonic() + limit_s, min(timeout_s, limit_s)
    one = _Download(url, part, timeout_s, until_s, most_bytes, progress or (lambda *told: None))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        one.complete()
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
class _Download:
    """One file on its way."""

    url: str
    part: Path
    timeout_s: float
    until_s: float
    most_bytes: int
    progress: Progress

    def complete(self) -> None:
        """Asks again as long as each connection brings something."""
        while True:
            before = self.have
            try:
                return self.go_on(before)
            except InterruptedDownloadError as error:
                if self.have <= before:
                    raise WeightsError(
                        f"the download of {self.url} broke off at {self.have:,} bytes ({error}); "
                        "what is there is kept, run the same command again to go on"
                    ) from None

    @property
    def have(self) -> int:
        """Bytes of the part file."""
        return self.part.stat().st_size if self.part.is_file() else 0

    def go_on(self, have: int) -> None:
        """One connection: from where the part file ends, or from the start if the server wants."""
        headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={have}-"} if have else {}
        request = urllib.request.Request(self.url, headers=headers)  # noqa: S310  (is checked)
        try:
            response = urllib.request.urlopen(request, timeout=self.timeout_s)  # noqa: S310
        except urllib.error.HTTPError as error:
            if error.code != 416 or not have:
                raise WeightsError(
                    f"{self.url} cannot be fetched: the server says {error}"
                ) from None
            if error.headers.get("Content-Range", "") != f"bytes */{have}":
                self.part.unlink()
                raise InterruptedDownloadError(
                    "the part file did not fit, so it was deleted"
                ) from None
            return
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error or type(error).__name__
            raise WeightsError(
                f"{self.url} cannot be reached ({reason}); is this machine online? A file that was "
                "downloaded elsewhere can be brought in with 'livepose weights import FILE'"
            ) from None
        with response:
            start, total = self.extent(response, have)
            with self.part.open("r+b" if self.part.exists() else "wb") as file:
                file.truncate(start)
                file.seek(start)
                end = self.copy(response, file, start, total)
                os.fsync(file.fileno())
        if total is not None and end != total:
            raise InterruptedDownloadError(f"{total:,} were promised")

    def extent(self, response: HTTPResponse, have: int) -> tuple[int, int | None]:
        """Where in the file the body begins, and how long the whole file is."""
        told = response.headers
        if response.status == 206:
            match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", told.get("Content-Range", ""))
            if match is None or int(match[1]) > have:
                raise WeightsError(f"{self.url} answered with a wrong range; try again later")
            return int(match[1]), None if match[2] == "*" else int(match[2])
        length = told.get("Content-Length")
        return 0, int(length) if length and length.isdigit() else None

    def copy(self, response: HTTPResponse, file: BinaryIO, position: int, total: int | None) -> int:
        """Body to file; returns the position reached. Raises if the connection breaks."""
        while True:
            if max(position, total or 0) > self.most_bytes:
                self.part.unlink()
                raise WeightsError(
                    f"{self.url} sends more than the {self.most_bytes:,} bytes that were expected; "
                    "it was given up and deleted"
                )
            if time.monotonic() > self.until_s:
                raise WeightsError(
                    f"{self.url} takes too long; {position:,} bytes are kept, run the same command "
                    "again to go on"
                )
            self.progress(position, total)
            try:
                chunk = response.read1(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise InterruptedDownloadError(str(error) or type(error).__name__) from None
            if not chunk:
                file.flush()
                return position
            file.write(chunk)
            position += len(chunk)
