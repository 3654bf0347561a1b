"""Files of a cache: each ends in the hash of what it holds, and is believed only with it."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path

_HASH_BYTES = 32


def read_kept(path: Path) -> memoryview:
    """What a file holds before the hash at its end.

    OSError when it cannot be read, is not what was written, or was written by somebody else than
    root, this user, or whoever installed livepose.
    """
    with path.open("rb") as file:
        if hasattr(os, "geteuid"):
            trusted = 0, os.geteuid(), Path(__file__).stat().st_uid
            if os.fstat(file.fileno()).st_uid not in trusted:
                raise OSError(f"{path} belongs to another user")
        content = memoryview(file.read())
    payload, digest = content[:-_HASH_BYTES], content[-_HASH_BYTES:]
    if sha256(payload).digest() != digest:
        raise OSError(f"{path} is not what was written")
    return payload


def write_kept(path: Path, payload: bytes | memoryview) -> None:
    """Writes a file and its hash as ``write_whole`` does."""
    write_whole(path, payload, sha256(payload).digest())


def write_whole(path: Path, *parts: bytes | memoryview) -> None:
    """Writes a file that appears whole or not at all; OSError when it cannot be written."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123  (a handle, not a path)
            file.writelines(parts)
        Path(part).chmod(0o644)  # who may use the folder may read it: caches made at installation
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)


def temporary_folder() -> Path:
    """A folder among the temporary files that is this user's alone, and there at the next start.

    OSError when it cannot be made, or somebody else has put something there.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else ""
    folder = Path(tempfile.gettempdir()) / f"livepose-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or (user != "" and folder.stat().st_uid != user):
        raise OSError(f"{folder} belongs to another user")
    return folder
