"""What there is to do: one job a video, and one for all images of a folder."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from livepose.errors import SourceError, UsageError
from livepose.sources import FoundSource


@dataclass(frozen=True, slots=True)
class Job:
    """One source, and the name that its outputs begin with."""

    source: str
    """The video, or the folder of the images."""
    name: str
    """Below the output folder: ``clip``, or ``monday/clip`` where two clips have one name."""
    kind: Literal["video", "images"]
    paths: tuple[str, ...]
    size: int
    """Bytes."""
    mtime_ns: int


def make_jobs(found: Iterable[FoundSource]) -> list[Job]:
    """The jobs, in the order of their first file; SourceError when there is none."""
    videos: dict[Path, list[Path]] = {}
    folders: dict[Path, list[Path]] = {}
    groups: dict[Path, list[Path]] = {}
    for one in found:
        if one.kind is not None:
            kind, key = (videos, one.path) if one.kind == "video" else (folders, one.path.parent)
            groups[key] = kind.setdefault(key, [])
            groups[key].append(one.path)
    if not groups:
        raise SourceError("there is neither a video nor an image; see the names left out above")
    names = unique_names(list(groups))
    return [
        Job(
            str(key),
            names[key],
            "video" if key in videos else "images",
            tuple(map(str, paths)),
            sum(_stat(path, "st_size") for path in paths),
            max(_stat(path, "st_mtime_ns") for path in paths),
        )
        for key, paths in groups.items()
    ]


def _stat(path: Path, what: str) -> int:
    try:
        return int(getattr(path.stat(), what))
    except OSError:  # it is told when its turn comes
        return 0


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each path: its stem; with its suffix or its folders where it needs them.

    >>> [*unique_names([Path("a/x.mp4"), Path("b/x.mp4"), Path("a/y.mp4")]).values()]
    ['a/x', 'b/x', 'y']
    """
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - without ".."
    stems = [_without_suffix(full, whole) for full in whole]
    names: dict[Path, str] = {}
    for path, stem in zip(paths, stems, strict=True):
        for depth in range(1, max(len(stem.parts), 2)):
            last = stem.parts[-depth:]
            if sum(_ends_with(other, last) for other in stems) == 1:
                break
        names[path] = "/".join(last).strip("/") or "images"
    return names


def _without_suffix(full: Path, others: Sequence[Path]) -> Path:
    """The path without suffix, unless another one beside it differs by that alone."""
    same = [
        one for one in others if one.parent == full.parent and full.stem in (one.stem, one.name)
    ]
    return full if len(same) > 1 or full.is_dir() else full.with_suffix("")


def _ends_with(path: Path, parts: tuple[str, ...]) -> bool:
    # Letters of either case are one name on some disks.
    return [one.casefold() for one in path.parts[-len(parts) :]] == [p.casefold() for p in parts]


def parse_shard(text: str) -> tuple[int, int]:
    """``2/8`` as (2, 8), from 1 on; UsageError when it is something else."""
    first, _, last = text.partition("/")
    if all(one.isascii() and one.isdecimal() for one in (first, last)):
        index, count = int(first), int(last)
        if 1 <= index <= count:
            return index, count
    raise UsageError(f"--shard: expected I/N with 1 <= I <= N such as 2/8, got {text!r}")


def largest_first(jobs: Iterable[Job]) -> list[Job]:
    """In the order in which they are done."""
    return sorted(jobs, key=lambda job: (-job.size, job.name))


def shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """The jobs of one of ``count`` runs: each job is in exactly one, sizes are spread evenly."""
    sizes = Counter(dict.fromkeys(range(1, count + 1), 0))
    mine = set()
    for job in largest_first(jobs):
        place = min(sizes, key=lambda one: (sizes[one], one))
        sizes[place] += max(job.size, 1)
        if place == index:
            mine.add(job)
    return [job for job in jobs if job in mine]
