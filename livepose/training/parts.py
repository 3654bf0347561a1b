"""A file in parts that are small enough to be carried, and whole again, verified."""

import hashlib
import json
from pathlib import Path
from typing import Any

from livepose.errors import DataError
from livepose.training.archive import is_hostile

PART_BYTES = 15_000_000
MANIFEST = "parts.json"


def split_file(file: Path, folder: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Write ``file`` as parts of at most ``part_bytes`` with a list of their hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    content = file.read_bytes()
    parts = []
    for number, start in enumerate(range(0, len(content), part_bytes)):
        part = folder / f"{file.name}.{number:02d}"
        part.write_bytes(content[start : start + part_bytes])
        parts.append(part)
    manifest = {
        "name": file.name,
        "bytes": len(content),
        "sha256": _sha256(content),
        "parts": [{"name": part.name, "sha256": _sha256(part.read_bytes())} for part in parts],
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return parts


def join_parts(folder: Path, output: Path | None = None) -> Path:
    """Put the parts in ``folder`` together, each of them and the whole verified.

    Raises
    ------
    DataError
        When a part is missing or not what it was; nothing is written then.
    """
    manifest = _read_manifest(folder)
    content = b"".join(_part(folder, entry) for entry in manifest["parts"])
    if _sha256(content) != manifest["sha256"]:
        raise DataError(f"{folder}: every part is whole, but together they are not the file")
    target = output or folder / str(manifest["name"])
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.draft")
    draft.write_bytes(content)
    draft.replace(target)
    return target


def _read_manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        names = [manifest["name"], *(entry["name"] for entry in manifest["parts"])]
        str(manifest["sha256"])
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{file}: expected the list of parts, got: {error!r}") from error
    if any(not isinstance(name, str) or is_hostile(name) or "/" in name for name in names):
        raise DataError(f"{file}: expected plain file names, got {names}")
    return dict(manifest)


def _part(folder: Path, entry: dict[str, Any]) -> bytes:
    file = folder / str(entry["name"])
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: this part is missing; fetch it again") from error
    if _sha256(content) != entry.get("sha256"):
        raise DataError(f"{file}: this part is not what it was (SHA-256); fetch it again")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
