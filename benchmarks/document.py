"""The one JSON: machine, versions, commit, and a part for each benchmark."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.baselines import ROOT
from benchmarks.targets import targets
from livepose.errors import SinkError, UsageError
from livepose.machine import describe_system

FORMAT = "livepose-benchmarks-1"


def commit() -> str:
    """The checkout's commit, with a plus sign where files differ from it."""
    if (described := git("rev-parse", "--short=12", "HEAD")) is None:
        return "unknown"
    return described + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def git(*words: str) -> str | None:
    """What git says of this checkout; None where there is no git or no checkout."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def read(path: Path) -> dict[str, Any]:
    """What was measured before, to be completed; an empty document where there is none.

    Raises
    ------
    UsageError
        When the file is something else.
    """
    if not path.is_file():
        return {"format": FORMAT, "machine": {}, "parts": {}}
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UsageError(f"{path} is no file of these benchmarks; name another with --json")
    return document


def merged(document: dict[str, Any], name: str, part: dict[str, Any]) -> dict[str, Any]:
    """The document with this part in the place of an older one.

    Parts of another machine are let go: ratios hold within one machine only.
    """
    machine = describe_system()
    parts = document["parts"] if document["machine"] == machine else {}
    stamp = {"taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "commit": commit()}
    together = parts | {name: stamp | part}
    return {
        "format": FORMAT,
        "machine": machine,
        "parts": together,
        "targets": [one.as_dict() for one in targets(together)],
    }


def write(document: dict[str, Any], path: Path) -> None:
    """Saves it in one move, so that Ctrl-C leaves the old or the new file.

    Raises
    ------
    SinkError
        When it cannot be written.
    """
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
        draft.replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error
