"""Files of the Hugging Face hub, ``hf://OWNER/REPO/FILE[@sha256:HEX]``, each pinned by its hash.

A file is looked for on this machine first. It is believed only with the hash in its address, or
with the one that it had when it first came, which ``hub_pins.json`` in the cache remembers.
"""

import json
import logging
import re
import shutil
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from livepose.errors import WeightsError
from livepose.weights.fetching import LIMIT_S, MOST_BYTES, TIMEOUT_S, file_sha256, is_offline
from livepose.weights.places import SUFFIX, TORCH_SUFFIXES, cache_folder, downloads_folder

logger = logging.getLogger(__name__)

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(
    rf"hf://({_NAME}/{_NAME})/({_NAME}(?:/{_NAME})*)(?:@sha256:([0-9A-Fa-f]{{64}}))?"
)


@dataclass(frozen=True)
class HubFile:
    """A file of a repository; ``sha256`` is empty where the address names none."""

    repository: str
    file: str
    sha256: str = ""

    @classmethod
    def of(cls, address: str) -> "HubFile":
        """What an address means; WeightsError where it means nothing."""
        parts = _ADDRESS.fullmatch(address)
        if parts is None:
            raise WeightsError(f"expected hf://OWNER/REPO/FILE[@sha256:64 digits], got {address}")
        return cls(parts[1], parts[2], (parts[3] or "").lower())

    def __str__(self) -> str:
        return f"hf://{self.repository}/{self.file}"

    @property
    def path(self) -> Path:
        """Where it lies once it is here."""
        return downloads_folder() / "hub" / self.repository / self.file


def is_on_hub(name: str) -> bool:
    """Whether this is the address of a file of the hub."""
    return name.startswith("hf://")


def find_on_hub(address: str, *, offline: bool = False) -> Path:
    """The weights of this address, ready to be run.

    WeightsError: as ``fetch_from_hub``; or when the file has to be brought in first.
    """
    suffix = Path(HubFile.of(address).file).suffix.lower()
    if suffix in TORCH_SUFFIXES:
        raise WeightsError(
            f"{address} is a torch checkpoint; bring it in first with 'livepose weights import "
            f"{address}'"
        )
    if suffix != SUFFIX:
        raise WeightsError(
            f"{address} does not end in {SUFFIX}; other networks are more than one file: download "
            "them, and name the file"
        )
    return fetch_from_hub(address, offline=offline)


def fetch_from_hub(address: str, *, offline: bool = False) -> Path:
    """The file of this address, from the cache or else from the hub, with the right hash.

    A hash in the address is remembered in place of the one before. WeightsError if it cannot be
    had, or has another hash.
    """
    wanted = HubFile.of(address)
    pins = _read_pins()
    pinned = wanted.sha256 or pins.get(str(wanted), "")
    if pinned and wanted.path.is_file() and file_sha256(wanted.path) == pinned:
        got = pinned
    else:
        if offline or is_offline():
            raise WeightsError(
                f"{address} is not on this machine, and --offline or LIVEPOSE_OFFLINE forbids to "
                "fetch it"
            )
        got = _fetch(wanted, pinned)
    if pins.get(str(wanted)) != got:
        _write_pins({**pins, str(wanted): got})
    if not pinned:
        logger.info(f"{wanted}@sha256:{got} is remembered: no other file is taken for it")
    return wanted.path


def _fetch(wanted: HubFile, pinned: str) -> str:
    """Downloads, checks and puts in place; returns the hash.

    What came is deleted where it is too large, or another hash was expected.
    """
    if find_spec("huggingface_hub") is None:
        raise WeightsError(
            f"{wanted} needs huggingface_hub, which is not installed; install it with "
            "pip install 'livepose[hub]'"
        )
    part = downloads_folder() / "hub" / ".part" / wanted.repository
    try:
        part.mkdir(parents=True, exist_ok=True)
        path = _within_limit(wanted, part)
        size, got = path.stat().st_size, file_sha256(path)
        if size > MOST_BYTES or pinned not in ("", got):
            path.unlink()
            _require_size(wanted, size)
            may = "" if wanted.sha256 else f"; if it may have changed, name {wanted}@sha256:{got}"
            raise WeightsError(
                f"{wanted} has the SHA-256 {got}, and {pinned} was expected; it was deleted{may}"
            )
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
        path.replace(wanted.path)
    except OSError as error:
        raise WeightsError(f"cannot write {wanted.path}: {error}") from None
    shutil.rmtree(part, ignore_errors=True)
    return got


def _within_limit(wanted: HubFile, part: Path) -> Path:
    """Downloads in a thread that does not keep the program, as the library has no limit for all."""
    answer: Future[Path] = Future()

    def load() -> None:
        try:
            answer.set_result(_download(wanted, part))
        except Exception as error:  # whatever the library and those below it raise
            answer.set_exception(error)

    threading.Thread(target=load, daemon=True).start()
    try:
        return answer.result(LIMIT_S)
    except WeightsError:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        late = f"was not there within {LIMIT_S:g} s"
        said = f"cannot be fetched ({reason})" if answer.done() else late
        raise WeightsError(f"{wanted} {said}") from None


def _download(wanted: HubFile, part: Path) -> Path:
    import huggingface_hub as hub

    url = hub.hf_hub_url(wanted.repository, wanted.file)
    told = hub.get_hf_file_metadata(url, timeout=TIMEOUT_S)
    _require_size(wanted, told.size or 0)
    logger.info(f"fetching {wanted} ({(told.size or 0) / 1e6:.1f} MB)")
    how = {"revision": told.commit_hash, "local_dir": part, "etag_timeout": TIMEOUT_S}
    return Path(hub.hf_hub_download(wanted.repository, wanted.file, **how))


def _require_size(wanted: HubFile, size: int) -> None:
    if size > MOST_BYTES:
        raise WeightsError(f"{wanted} has {size:,} bytes; at most {MOST_BYTES:,} are fetched")


def pins_path() -> Path:
    """Where it is remembered which hash each file had."""
    return cache_folder() / "hub_pins.json"


def _read_pins() -> dict[str, str]:
    try:
        pins = json.loads(pins_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{pins_path()} cannot be read ({error}); mend or delete it") from None
    if not isinstance(pins, dict) or not all(isinstance(one, str) for one in pins.values()):
        raise WeightsError(f"{pins_path()} is no list of hashes by address; mend or delete it")
    return pins


def _write_pins(pins: dict[str, str]) -> None:
    try:
        handle, part = tempfile.mkstemp(dir=pins_path().parent, prefix=".pins-")
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123  (a handle, not a path)
            json.dump(pins, file, indent=1, sort_keys=True)
        Path(part).replace(pins_path())
    except OSError as error:
        raise WeightsError(f"cannot write {pins_path()}: {error}") from None
