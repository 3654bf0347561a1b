"""What an output may be written over: nothing, unless that was asked for. Light, for the start."""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from livepose.errors import SinkError, UsageError
from livepose.sinks.protocol import written

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Videos that can be written, and what ffmpeg calls them."""


def check_outputs(
    outputs: Mapping[str, str | Path | None],
    inputs: Iterable[str | Path] = (),
    *,
    overwrite: bool = False,
    rotated: Iterable[str] = (),
) -> None:
    """Refuses outputs that would hurt something; called before anything is loaded.

    ``outputs`` says by option (``--json``) where each one writes; None and "-" are no files.
    ``inputs`` are protected even with ``overwrite``; the ``rotated`` put aside what is there.

    Raises
    ------
    UsageError
        When an output is an input, another output, or there already.
    SinkError
        When an output cannot be written.
    """
    read = {_identity(Path(path)) for path in inputs}
    seen: dict[tuple[object, ...], str] = {}
    files = {option: Path(p) for option, p in outputs.items() if p is not None and str(p) != "-"}
    for option, path in files.items():
        key = _identity(path)
        if key in read:
            raise UsageError(f"{option} {path} is the input itself; write to another file")
        if key in seen and not is_device(path):
            raise UsageError(f"{option} and {seen[key]} both write {path}; give each its own name")
        seen[key] = option
        check_writable(path, overwrite=overwrite or option in rotated)


def check_writable(path: Path, *, overwrite: bool) -> None:
    """Finds out before the first frame whether ``path`` can be written; changes nothing."""
    with written(path):
        if not overwrite:
            refuse_existing(path)
        existed = os.path.lexists(path)
        if not (path.is_dir() or is_device(path)):
            path.open("ab").close()
        if not existed:
            path.unlink()


def check_file(path: Path, *, overwrite: bool) -> None:
    """``check_writable`` for an output that is one file."""
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        raise SinkError(f"cannot write {path}: it is a folder; expected a file name")
    check_writable(path, overwrite=overwrite)


def refuse_existing(path: Path) -> None:
    """Says that ``path`` is there; devices, pipes and empty folders hold nothing to lose."""
    taken = os.path.lexists(path) and not is_device(path)
    if any(path.iterdir()) if path.is_dir() else taken:
        raise UsageError(f"{path} is there already; choose another name, or add --overwrite")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Makes a folder for results, inside one that exists, or takes an empty one."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise SinkError(f"cannot write into {folder}: it is a file; expected a folder")
    with written(folder):
        folder.mkdir(exist_ok=True)
        if not overwrite:
            refuse_existing(folder)


def _identity(path: Path) -> tuple[object, ...]:
    """The same for two names of one file."""
    try:
        status = path.stat()
    except OSError:
        return (str(path.resolve()),)
    return (status.st_dev, status.st_ino)


def is_device(path: Path) -> bool:
    """Whether there is something that is neither file nor folder, such as a pipe."""
    try:
        mode = path.stat().st_mode
    except OSError:  # a link to nothing
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def check_image_name(path: Path) -> None:
    """Refuses a name that says nothing of how a picture is to be written."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path}: expected a picture such as sheet.png or sheet.jpg")


def video_format(path: Path) -> str:
    """The container that a name asks for; UsageError for one that cannot be written."""
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        kind = path.suffix or "a video without suffix"
        raise UsageError(f"{path}: cannot write {kind}; expected {', '.join(FORMATS)}")
    return form
