"""What every sink is, what it may be written over, and how a failing disk becomes one sentence.

An output replaces nothing, unless that was asked for, and never an input. Light, for the start.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.errors import SinkError, UsageError
from livepose.files import is_device
from livepose.threads import Closable

if TYPE_CHECKING:
    from livepose.frame import Frame, ImageBgr
    from livepose.poses import Poses

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Videos that can be written, and what ffmpeg calls them."""
_REASONS = {
    errno.ENOSPC: "the disk is full; make room, or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; make room, or write elsewhere",
    errno.EACCES: "no permission; write elsewhere",
    errno.EPERM: "no permission; write elsewhere",
    errno.EROFS: "the disk is read-only; write elsewhere",
    errno.EISDIR: "it is a folder; expected a file name",
    errno.EEXIST: "it is a file; expected a folder",
    errno.ENOENT: "the folder {0.parent} does not exist; create it first",
    errno.ENOTDIR: "{0.parent} is not a folder",
    errno.ENXIO: "nobody reads this pipe; start its reader first",
}


class OutputClosed(BrokenPipeError):  # noqa: N818 - an event, like StopIteration
    """Whoever read the output has gone (a closed pipe): a quiet end, not an error."""


class Sink(Closable):
    """Takes every frame with its people, and keeps what it makes of them.

    Where one is made it raises UsageError when the output is there already and not to be
    overwritten; anywhere SinkError when it cannot be written, OutputClosed when the reader of a
    pipe has gone.
    """

    needs_drawing = False
    """Whether it wants the drawn image."""
    live = False
    """Whether it only hands over: it then gets each frame at once, and not after the files."""

    def write(self, frame: "Frame", poses: "Poses", drawn_bgr: "ImageBgr | None" = None) -> None:
        """Takes one frame; ``drawn_bgr`` is the image with the people drawn into it."""
        raise NotImplementedError


def sink_error(path: Path, error: BaseException) -> SinkError:
    """The sentence for a failed write to ``path``."""
    said = getattr(error, "strerror", None) or error
    reason = _REASONS.get(getattr(error, "errno", None) or 0)
    return SinkError(f"cannot write {path}: {reason.format(path) if reason else said}")


@contextmanager
def written(path: Path) -> Iterator[None]:
    """What fails in writing to ``path`` becomes a SinkError, or OutputClosed."""
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosed(str(path)) from error
    except OSError as error:
        raise sink_error(path, error) from error


def above(poses: "Poses", score: float) -> "Poses":
    """The same people; keypoints that score less are missing, in every output."""
    weak = poses.keypoint_scores < score
    return poses.without_keypoints(weak) if weak.any() else poses


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
    UsageError for an output that is an input, another output, or there already; SinkError for one
    that cannot be written.
    """
    read = {_identity(Path(path)) for path in inputs}
    seen: dict[object, str] = {}
    files = {option: Path(p) for option, p in outputs.items() if p is not None and str(p) != "-"}
    for option, path in files.items():
        key = _identity(path)
        if key in read:
            raise UsageError(f"{option} {path} is the input itself; write to another file")
        if key in seen and not is_device(path):
            raise UsageError(f"{option} and {seen[key]} both write {path}; give each its own name")
        seen[key] = option
        with written(path):
            if not (overwrite or option in rotated):
                refuse_existing(path)
            if not path.is_dir() or path.suffix.lower() in _FORMATS:
                check_file(path, overwrite=True)


def check_file(path: Path, *, overwrite: bool) -> None:
    """Finds out before the first frame whether a file can be written; changes nothing."""
    with written(path):
        if not overwrite:
            refuse_existing(path)
        existed = os.path.lexists(path)
        if not is_device(path):
            path.open("ab").close()
        if not existed:
            path.unlink()


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Makes a folder for results, inside one that exists, or takes an empty one."""
    with written(folder):
        folder.mkdir(exist_ok=True)
        if not overwrite:
            refuse_existing(folder)


def refuse_existing(path: Path) -> None:
    """Says that ``path`` is there; devices, pipes and empty folders hold nothing to lose."""
    taken = os.path.lexists(path) and not is_device(path)
    if any(path.iterdir()) if path.is_dir() else taken:
        raise UsageError(f"{path} is there already; choose another name, or add --overwrite")


def _identity(path: Path) -> object:
    """The same for two names of one file."""
    try:
        status = path.stat()
        return status.st_dev, status.st_ino
    except OSError:
        return path.resolve()


def check_image_name(path: Path) -> None:
    """Refuses a name that says nothing of how an image is to be written."""
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path}: expected an image such as sheet.png or sheet.jpg")


def video_format(path: Path) -> str:
    """The container that a name asks for; UsageError for one that cannot be written."""
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        kind = path.suffix or "a video without suffix"
        raise UsageError(f"{path}: cannot write {kind}; expected {', '.join(_FORMATS)}")
    return form
