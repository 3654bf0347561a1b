"""Downloads that resume, have limits, are verified, and never leave half a file under its name."""

import hashlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from livepose.errors import WeightsError
from livepose.weights.manifest import Known
from livepose.weights.places import downloads_folder

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be (None if not known)."""
TIMEOUT_S, LIMIT_S = 15.0, 3600.0
"""Of one answer of the server, and of everything, looking the host up included."""
MOST_BYTES = 1 << 30
_CHUNK = 1 << 18
_AGAIN = "what is there is kept, run the same command again to go on"


def is_offline() -> bool:
    """Whether nobody is to be asked for anything: LIVEPOSE_OFFLINE or YOLO_OFFLINE is set."""
    values = (os.environ.get(name, "") for name in ("LIVEPOSE_OFFLINE", "YOLO_OFFLINE"))
    return any(value.lower() not in ("", "0", "false", "no", "off") for value in values)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(known: Known, progress: Progress | None = None) -> Path:
    """Downloads one file of the manifest, or finds it downloaded and right already.

    WeightsError if it has to be downloaded by hand, cannot be reached, or is not what it should be.
    """
    if not known.url:
        raise WeightsError(
            f"{known.name} can only be downloaded by hand: get {known.file or 'the file'} from "
            f"{known.folder} and run 'livepose weights import FILE --family {known.family} --input "
            f"{known.input_hw[0]}x{known.input_hw[1]}'"
        )
    target = downloads_folder() / known.file
    if target.is_file() and file_sha256(target).startswith(known.sha256):
        return target
    if is_offline():
        raise WeightsError(
            f"{known.file} is not on this machine, and LIVEPOSE_OFFLINE forbids to fetch it"
        )
    return download(
        known.url, target, sha256=known.sha256, most_bytes=known.most_bytes, progress=progress
    )


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    token: str = "",
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
    limit_s: float = LIMIT_S,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Downloads ``url`` to ``target`` by way of ``target.part``, which a later call continues.

    A connection that breaks off is taken up again as long as each try brings something. ``sha256``
    is the whole hash or its first digits; a file with another is deleted. ``token`` is shown to
    this host alone. WeightsError if the server is not reached, refuses, sends something else or
    more than ``most_bytes``; if it takes longer than ``limit_s``; or the disk is full.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"only http and https addresses can be fetched, got {url}")
    headers = {"User-Agent": "livepose", "Accept-Encoding": "identity"}
    request = Request(url, headers=headers)  # noqa: S310  (http and https alone)
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    part = target.with_name(target.name + ".part")

    def transfer() -> None:
        _transfer(request, part, timeout_s, limit_s, most_bytes, progress or (lambda *told: None))

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _within(limit_s, transfer, url)
        got = file_sha256(part)
        if not got.startswith(sha256.lower()):
            part.unlink()
            raise WeightsError(
                f"what came from {url} is not the file that was expected (SHA-256 {sha256}, got "
                f"{got}); it was deleted"
            )
        part.replace(target)
    except OSError as error:
        raise WeightsError(f"cannot write {target}: {error}") from None
    return target


def _within(limit_s: float, work: Callable[[], None], url: str) -> None:
    """Works in a thread that is not waited for: a name server cannot be given a time limit."""
    answer: Future[None] = Future()

    def run() -> None:
        try:
            work()
            answer.set_result(None)
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        answer.result(limit_s)
    except TimeoutError:
        raise WeightsError(f"{url} takes too long; {_AGAIN}") from None


def _transfer(
    request: Request,
    part: Path,
    timeout_s: float,
    limit_s: float,
    most_bytes: int,
    progress: Progress,
) -> None:
    """Brings the part file to its end; asks again as long as each connection brings something."""
    url, until_s = request.full_url, time.monotonic() + limit_s
    while True:
        have = part.stat().st_size if part.is_file() else 0
        reason = ""
        with _answer(request, part, have, min(timeout_s, limit_s)) as response:
            end = start = have if response.status == 206 else 0
            total = None if response.length is None else start + response.length
            with part.open("ab" if start else "wb") as file:
                while True:
                    if max(end, total or 0) > most_bytes:
                        part.unlink()
                        raise WeightsError(
                            f"{url} sends more than the {most_bytes:,} bytes that were expected; "
                            "it was given up and deleted"
                        )
                    if time.monotonic() > until_s:
                        raise WeightsError(f"{url} takes too long; {_AGAIN}")
                    progress(end, total)
                    try:
                        chunk = response.read1(_CHUNK)
                    except (OSError, HTTPException) as error:
                        reason = str(error) or type(error).__name__
                        break
                    if not chunk:
                        break
                    file.write(chunk)
                    end += len(chunk)
        if not reason and total in (None, end):
            return
        if end <= have:
            raise WeightsError(
                f"the download of {url} broke off at {end:,} bytes ({reason or 'no more came'}); "
                f"{_AGAIN}"
            )


def _answer(request: Request, part: Path, have: int, timeout_s: float) -> HTTPResponse:
    """The server's answer: the rest of the file, or all of it if the server wants."""
    url = request.full_url
    request.headers.pop("Range", None)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response: HTTPResponse = urlopen(request, timeout=timeout_s)  # noqa: S310
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:  # the part file is no beginning of what is there
            part.unlink()
            return _answer(request, part, 0, timeout_s)
        raise WeightsError(f"{url} cannot be fetched: the server says {error}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise WeightsError(
            f"{url} cannot be reached ({reason}); is this machine online? A file that was "
            "downloaded elsewhere can be brought in with 'livepose weights import FILE'"
        ) from None
    told = response.headers.get("Content-Range", "")
    if response.status == 206 and not told.startswith(f"bytes {have}-"):
        raise WeightsError(f"{url} answered with a wrong range; try again later")
    return response
