"""Files of the Hugging Face hub, ``hf://OWNER/REPO/FILE[@sha256:HEX]``, each pinned by its hash.

A file is looked for on this machine first. It is believed only with the hash in its address, or
with the one that it had when it first came, which lies beside it.
"""

import logging
import os
import re
from pathlib import Path

from livepose.errors import WeightsError
from livepose.weights.fetching import download, file_sha256, is_offline
from livepose.weights.places import downloads_folder

logger = logging.getLogger(__name__)

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(
    rf"hf://({_NAME}/{_NAME})/({_NAME}(?:/{_NAME})*)(?:@sha256:([0-9A-Fa-f]{{64}}))?"
)


def is_on_hub(name: str) -> bool:
    """Whether this is the address of a file of the hub."""
    return name.startswith("hf://")


def split_address(address: str) -> tuple[str, str, str]:
    """Repository, file and hash of an address, "" where it names none; WeightsError if odd."""
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise WeightsError(f"expected hf://OWNER/REPO/FILE[@sha256:64 digits], got {address}")
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
    pinned = given or _read(pin)
    if not (pinned and path.is_file() and file_sha256(path) == pinned):
        if offline or is_offline():
            raise WeightsError(
                f"{address} is not on this machine, and --offline or LIVEPOSE_OFFLINE forbids to "
                "fetch it"
            )
        host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
        url = f"{host}/{repository}/resolve/main/{file}"
        logger.info(f"fetching {url}")
        try:
            download(url, path, sha256=pinned, token=os.environ.get("HF_TOKEN", ""))
        except WeightsError as error:
            may = "" if given else f"; a file that may have changed is named {address}@sha256:HEX"
            raise WeightsError(f"{error}{may if pinned else ''}") from None
    got = file_sha256(path)
    if _read(pin) != got:
        try:
            pin.write_text(got, encoding="ascii")
        except OSError as error:
            raise WeightsError(f"cannot write {pin}: {error}") from None
    if not pinned:
        logger.info(f"{address}@sha256:{got} is remembered: no other file is taken for it")
    return path


def _read(pin: Path) -> str:
    try:
        told = pin.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise WeightsError(f"cannot read {pin}: {error}") from None
    if not re.fullmatch("[0-9a-f]{64}", told):
        raise WeightsError(f"{pin} holds no SHA-256; delete it, and the file is believed anew")
    return told
