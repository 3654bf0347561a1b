"""The manifest of a run: one JSON line a file, so that a rerun does what is missing or changed."""

import glob
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from livepose.batch.jobs import Job
from livepose.errors import DataError
from livepose.files import file_sha256
from livepose.sinks.files import write_output
from livepose.sinks.jsonl import read_lines
from livepose.sinks.sink import written

DONE, FAILED, LOST = "done", "failed", "lost"


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one file."""

    source: str
    name: str
    size: int
    mtime_ns: int
    settings: str
    """SHA-256 of everything that the outputs depend on beside the file: options and weights."""
    state: str
    """``done``, ``failed`` (its own fault), or ``lost`` (its worker died each time)."""
    outputs: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each output, by its path below the output folder."""
    error: str | None = None
    tries: int = 1
    seconds: float = 0.0
    where: str = ""
    lost: list[str] = field(default_factory=list)
    """What became of the earlier tries."""

    @classmethod
    def of(cls, job: Job, state: str, **told: Any) -> "Entry":
        """What became of a job; of which settings is not known yet."""
        return cls(job.source, job.name, job.size, job.mtime_ns, "", state, **told)


class Manifest:
    """Reads what earlier runs did, and notes each file as soon as it is done.

    While a run goes on lines are added; at its end the file has one line a source. Several shards
    write a file each and read those of the others. ``path`` None keeps it in memory; ``shard`` says
    which of how many runs this is. DataError when the file is something else, SinkError when it
    cannot be written.
    """

    def __init__(self, path: Path | None, shard: tuple[int, int] = (1, 1)) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self._own: set[str] = set()
        if path is None:
            return
        if shard != (1, 1):
            self.path = path.with_name(f"{path.stem}.{shard[0]}-of-{shard[1]}{path.suffix}")
        others = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*-of-*{path.suffix}"))
        for one in (*others, path):
            read = read_manifest(one) if one.exists() else {}
            self.entries.update(read)
            self._own.update(read if one == self.path else ())

    def due(self, jobs: Iterable[Job], settings: str, folder: Path) -> list[Job]:
        """The jobs that are not done: as they are now, with these settings, outputs and all."""
        return [job for job in jobs if not self._is_done(job, settings, folder)]

    def _is_done(self, job: Job, settings: str, folder: Path) -> bool:
        then = self.entries.get(job.source)
        if then is None or then.state != DONE or then.settings != settings:
            return False
        same = (then.name, then.size, then.mtime_ns) == (job.name, job.size, job.mtime_ns)
        return same and all(content_sha256(folder / at) == sha for at, sha in then.outputs.items())

    def owned_outputs(self) -> set[str]:
        """Every output that an earlier run wrote."""
        return {path for entry in self.entries.values() for path in entry.outputs}

    def add(self, entry: Entry) -> None:
        """Notes a file that is done, or is not going to be."""
        self.entries[entry.source] = entry
        self._own.add(entry.source)
        if self.path is not None:
            with written(self.path), self.path.open("a", encoding="utf-8") as file:
                file.write(_line(entry))

    def close(self) -> None:
        """Leaves one line a source."""
        if self.path is not None and self._own:
            write_output(self.path, "".join(_line(self.entries[one]) for one in sorted(self._own)))


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry)) + "\n"


def read_manifest(path: Path) -> dict[str, Entry]:
    """Entries by source; the last line of a source counts, an unfinished last line does not.

    DataError when it is not a manifest.
    """
    what, advice = "a manifest of livepose", "name another"
    try:
        entries = [_entry(record) for record in read_lines(path, what, advice)]
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not {what}: {error}; {advice}") from error
    return {entry.source: entry for entry in entries}


def _entry(record: Any) -> Entry:
    known = {one.name for one in fields(Entry)}
    entry = Entry(**{key: value for key, value in record.items() if key in known})
    if not isinstance(entry.outputs, dict) or not isinstance(entry.source, str):
        raise ValueError("a line without source or outputs")
    return entry


def content_sha256(path: Path) -> str | None:
    """Of a file's content, or of a folder's names and contents; None where there is nothing."""
    try:
        if path.is_dir():
            parts = sorted(one for one in path.rglob("*") if one.is_file())
            return text_sha256({str(one.relative_to(path)): content_sha256(one) for one in parts})
        return file_sha256(path)
    except OSError:
        return None


def text_sha256(value: Mapping[str, Any] | Iterable[Any]) -> str:
    """Of a plain value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
