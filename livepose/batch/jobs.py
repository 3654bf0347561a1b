"""What there is to do: one job a video, and one for all images of a folder."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from livepose.errors import SourceError
from livepose.sources import FoundSource

Kind = Literal["video", "images"]


@dataclass(frozen=True, slots=True)
class Job:
    """One source, and the name that its outputs begin with."""

    source: str
    """The video, or the folder of the images."""
    name: str
    """Below the output folder: ``clip``, or ``monday/clip`` where two clips have one name."""
    kind: Kind
    paths: tuple[str, ...]
    size: int
    """Bytes."""
    mtime_ns: int


def make_jobs(found: Iterable[FoundSource]) -> list[Job]:
    """The jobs, in the order of their first file; SourceError when there is none."""
    groups: dict[tuple[Path, Kind], list[Path]] = {}
    for one in found:
        if one.kind == "video":
            groups[one.path, "video"] = [one.path]
        elif one.kind is not None:
            groups.setdefault((one.path.parent, "images"), []).append(one.path)
    if not groups:
        raise SourceError("there is neither a video nor an image; see the names left out above")
    names = unique_names([place for place, _ in groups])
    jobs = []
    for (place, kind), paths in groups.items():
        sizes, times_ns = zip(*map(_size_and_mtime_ns, paths), strict=True)
        files = tuple(map(str, paths))
        jobs.append(Job(str(place), names[place], kind, files, sum(sizes), max(times_ns)))
    return jobs


def _size_and_mtime_ns(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:  # it is told when its turn comes
        return 0, 0
    return status.st_size, status.st_mtime_ns


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each path: its stem; with its suffix or its folders where it needs them.

    >>> [*unique_names([Path("a/x.mp4"), Path("b/x.mp4"), Path("a/y.mp4")]).values()]
    ['a/x', 'b/x', 'y']
    """
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - without ".."
    bare = [path if path.is_dir() else path.with_suffix("") for path in whole]
    alike = Counter(bare)
    stems = [one if alike[one] == 1 else path for one, path in zip(bare, whole, strict=True)]
    ends = [["/".join(stem.parts[-n:]) for n in range(1, len(stem.parts))] for stem in stems]
    # Letters of either case are one name on some disks.
    counts = Counter(end.casefold() for several in ends for end in several)
    names: dict[Path, str] = {}
    for path, several in zip(paths, ends, strict=True):
        unique = (end for end in several if counts[end.casefold()] == 1)
        names[path] = next(unique, several[-1] if several else "images")
    return names


def largest_first(jobs: Iterable[Job]) -> list[Job]:
    """In the order in which they are done."""
    return sorted(jobs, key=lambda job: (-job.size, job.name))


def shard(jobs: Sequence[Job], index: int, count: int) -> list[Job]:
    """The jobs of one of ``count`` runs: each job is in exactly one, sizes are spread evenly."""
    sizes = [0] * count
    mine = set()
    for job in largest_first(jobs):
        place = sizes.index(min(sizes))
        sizes[place] += max(job.size, 1)
        if place == index - 1:
            mine.add(job)
    return [job for job in jobs if job in mine]
