"""What every sink is, and how a failing disk becomes one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.errors import SinkError
from livepose.threads import Closable

if TYPE_CHECKING:
    from livepose.frame import Frame, ImageBgr
    from livepose.poses import Poses


class OutputClosed(BrokenPipeError):  # noqa: N818 - an event, like StopIteration
    """Whoever read the output has gone (a closed pipe): a quiet end, not an error."""


class Sink(Closable):
    """Takes every frame with its people, and keeps what it makes of them.

    Raises
    ------
    UsageError
        Where a sink is made: when the output is there already and not to be overwritten, or an
        argument cannot be right.
    SinkError
        From there on: when the output cannot be written.
    OutputClosed
        When the reader of a pipe has gone.
    """

    needs_drawing = False
    """Whether it wants the drawn picture."""
    live = False
    """Whether it only hands over: it then gets each frame at once, and not after the files."""

    def write(self, frame: "Frame", poses: "Poses", drawn_bgr: "ImageBgr | None" = None) -> None:
        """Takes one frame; ``drawn_bgr`` is the picture with the people drawn into it."""
        raise NotImplementedError


_REASONS = {
    errno.ENOSPC: "the disk is full; make room, or write elsewhere",
    errno.EDQUOT: "the disk quota is used up; make room, or write elsewhere",
    errno.EACCES: "no permission; write elsewhere",
    errno.EPERM: "no permission; write elsewhere",
    errno.EROFS: "the disk is read-only; write elsewhere",
    errno.EISDIR: "it is a folder; expected a file name",
    errno.ENOENT: "the folder {0.parent} does not exist; create it first",
    errno.ENOTDIR: "{0.parent} is not a folder",
}


def sink_error(path: Path, error: Exception) -> SinkError:
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
    """The same people; keypoints that score less are missing, as if they had not been found.

    It is the one rule of all outputs for which keypoints are worth telling.
    """
    import numpy as np

    from livepose.poses import KeypointState

    weak = poses.keypoint_scores < score
    if not weak.any():
        return poses
    return poses.with_keypoints(
        np.where(weak[..., None], np.nan, poses.keypoints_xy),
        np.where(weak, 0.0, poses.keypoint_scores),
        np.where(weak[..., None, None], np.nan, poses.covariance_px2),
        np.where(weak, np.uint8(KeypointState.MISSING), poses.keypoint_states),
    )
