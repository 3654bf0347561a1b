"""Downloads: known files, and ``hf://OWNER/REPO/FILE[@sha256:HEX]`` of the Hugging Face hub.

They have limits, go on where they broke off, are verified, and never leave half a file under its
name. A file of the hub is believed only with the hash in its address, or with the one that it had
when it first came, which lies beside it.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from livepose.errors import WeightsError
from livepose.files import file_sha256, write_whole
from livepose.weights.manifest import Known
from livepose.weights.places import HUB, downloads_folder

logger = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes there will be (None if not known)."""
TIMEOUT_S, LIMIT_S = 15.0, 3600.0
"""Of one answer of the server, and of everything, looking the host up included."""
MOST_BYTES = 1 << 30
_CHUNK = 1 << 18
_AGAIN = "what came is kept: run the same command again to go on"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(
    rf"{HUB}({_NAME}/{_NAME})/({_NAME}(?:/{_NAME})*)(?:@sha256:([0-9A-Fa-f]{{64}}))?"
)


def is_offline() -> bool:
    """Whether nobody is to be asked for anything: LIVEPOSE_OFFLINE or YOLO_OFFLINE is set."""
    values = (os.environ.get(name, "") for name in ("LIVEPOSE_OFFLINE", "YOLO_OFFLINE"))
    return any(value.lower() not in ("", "0", "false", "no", "off") for value in values)


def fetch(known: Known, progress: Progress | None = None) -> Path:
    """One file of the manifest, as by ``download``; WeightsError if it is to be fetched by hand."""
    if not known.url:
        raise WeightsError(
            f"{known.name} can only be downloaded by hand: get {known.file or 'the file'} from "
            f"{known.folder} and run 'livepose weights import FILE --family {known.family} --input "
            f"{known.input_hw[0]}x{known.input_hw[1]}'"
        )
    target = downloads_folder() / known.file
    return download(
        known.url, target, sha256=known.sha256, progress=progress, most_bytes=known.most_bytes
    )


def split_address(address: str) -> tuple[str, str, str]:
    """Repository, file and hash of an address, "" where it names none; WeightsError if odd."""
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise WeightsError(f"expected {HUB}OWNER/REPO/FILE[@sha256:64 digits], got {address}")
    return parts[1], parts[2], (parts[3] or "").lower()


def fetch_from_hub(address: str, *, offline: bool = False) -> Path:
    """The file of this address, from the cache or else from the hub, with the right hash.

    A hash in the address is remembered in place of the one before. HF_ENDPOINT names another host
    than huggingface.co, HF_TOKEN opens private repositories. WeightsError if the file cannot be
    had, or has another hash.
    """
    repository, file, given = split_address(address)
    path = downloads_folder() / "hub" / repository / file
    pin = path.with_name(path.name + ".sha256")
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url, token = f"{host}/{repository}/resolve/main/{file}", os.environ.get("HF_TOKEN", "")
    try:
        pinned = given or (pin.read_text(encoding="utf-8") if pin.exists() else "")
        try:
            download(url, path, sha256=pinned, token=token, offline=offline)
        except WeightsError as error:
            may = "" if given else f"; a file that may have changed is named {address}@sha256:HEX"
            raise WeightsError(f"{error}{may if pinned else ''}") from None
        if given or not pinned:
            write_whole(pin, file_sha256(path).encode())
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"the hash of {address} cannot be kept in {pin}: {error}") from None
    if not pinned:
        logger.info(f"{address}@sha256:{file_sha256(path)} is remembered: no other file is taken")
    return path


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    token: str = "",
    offline: bool = False,
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
    limit_s: float = LIMIT_S,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """The file ``target`` where it has this hash, else ``url`` downloaded to it.

    A connection that breaks off is taken up again as long as each brings something, and what came
    of a file whose hash is known is gone on with by a later call. ``sha256`` is the whole hash or
    its first digits; a file with another is deleted. ``token`` is shown to this host alone.
    WeightsError if the server is not reached, refuses, breaks off, sends something else or more
    than ``most_bytes``; if it takes longer than ``limit_s``; the disk is full; or nobody is to be
    asked.
    """
    if sha256 and target.is_file() and file_sha256(target).startswith(sha256.lower()):
        return target
    if offline or is_offline():
        raise WeightsError(
            f"{target.name} of {url} is not on this machine, and --offline or LIVEPOSE_OFFLINE "
            "forbids to fetch it"
        )
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"only http and https addresses can be fetched, got {url}")
    headers = {"User-Agent": "livepose", "Accept-Encoding": "identity"}
    request = Request(url, headers=headers)  # noqa: S310  (http and https alone)
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    part, until_s = target.with_name(target.name + ".part"), time.monotonic() + limit_s
    done: Future[None] = Future()

    def transfer() -> None:
        try:
            _transfer(request, part, min(timeout_s, limit_s), until_s, most_bytes, progress)
            done.set_result(None)
        except Exception as error:
            done.set_exception(error)

    logger.info(f"fetching {url} (at most {most_bytes / 1e6:.1f} MB, {limit_s:g} s)")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not sha256:  # it may be of another file by now
            part.unlink(missing_ok=True)
        # In a thread that is not waited for: a name server cannot be given a time limit.
        threading.Thread(target=transfer, daemon=True).start()
        done.result(limit_s)
        got = file_sha256(part)
        if not got.startswith(sha256.lower()):
            part.unlink()
            raise WeightsError(
                f"what came from {url} is not the file that was expected (SHA-256 {sha256}, got "
                f"{got}); it was deleted"
            )
        part.replace(target)
    except TimeoutError:
        raise WeightsError(f"{url} takes longer than {limit_s:g} s; {_AGAIN}") from None
    except OSError as error:
        raise WeightsError(f"cannot write {target}: {error}") from None
    return target


def _transfer(
    request: Request,
    part: Path,
    timeout_s: float,
    until_s: float,
    most_bytes: int,
    progress: Progress | None,
) -> None:
    """Brings the part file to its end; asks again as long as each answer brings something."""
    url = request.full_url
    while True:
        have = part.stat().st_size if part.is_file() else 0
        request.headers["Range"] = f"bytes={have}-"
        try:
            response: HTTPResponse = urlopen(request, timeout=timeout_s)  # noqa: S310
        except HTTPError as error:
            error.close()
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                part.unlink()  # it is no beginning of what is there
                continue
            raise WeightsError(f"{url} cannot be fetched: the server says {error}") from None
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error or type(error).__name__
            raise WeightsError(
                f"{url} cannot be reached ({why}); is this machine online? A file from elsewhere: "
                "--detector FILE, or for poses 'livepose weights import FILE'"
            ) from None
        goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        there, reason = have if goes_on else 0, ""
        total = None if response.length is None else there + response.length
        with response, part.open("ab" if goes_on else "wb") as file:
            while True:
                if max(there, total or 0) > most_bytes:
                    part.unlink()
                    raise WeightsError(f"{url} sends more than the {most_bytes:,} bytes expected")
                if time.monotonic() > until_s:
                    raise TimeoutError
                if progress is not None:
                    progress(there, total)
                try:
                    chunk = response.read1(_CHUNK)
                except (OSError, HTTPException) as error:
                    chunk, reason = b"", str(error) or type(error).__name__
                if not chunk:
                    break
                file.write(chunk)
                there += len(chunk)
        if not reason and total in (None, there):
            return
        if there <= have:
            why = reason or "no more came"
            raise WeightsError(
                f"the download of {url} broke off at {there:,} bytes ({why}); {_AGAIN}"
            )
