"""What every sink offers, and how a failing disk becomes one sentence."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from livepose.errors import SinkError
from livepose.threads import Closable

if TYPE_CHECKING:
    from livepose.frame import Frame, ImageBgr
    from livepose.poses import Poses


class OutputClosed(BrokenPipeError):  # noqa: N818 - an event, like StopIteration
    """Whoever read the output has gone (a closed pipe): a quiet end, not an error."""


class Sink(Protocol):
    """Takes every frame with its people, and keeps what it makes of them.

    ``needs_drawing`` says whether it wants the drawn picture. A sink whose ``live`` is true only
    hands over: it gets each frame at once, and not after the files.

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

    needs_drawing: bool

    def write(self, frame: "Frame", poses: "Poses", drawn_bgr: "ImageBgr | None") -> None:
        """Takes one frame; ``drawn_bgr`` is the picture with the people drawn into it."""

    def close(self) -> None:
        """Finishes the output; a second call does nothing."""


class Closing(Closable):
    """A sink of files that wants no drawing, unless it says otherwise."""

    live = needs_drawing = False


def sink_error(path: Path, error: Exception) -> SinkError:
    """The sentence for a failed write to ``path``."""
    reasons = {
        errno.ENOSPC: "the disk is full; make room, or write elsewhere",
        errno.EDQUOT: "the disk quota is used up; make room, or write elsewhere",
        errno.EACCES: "no permission; write elsewhere",
        errno.EPERM: "no permission; write elsewhere",
        errno.EROFS: "the disk is read-only; write elsewhere",
        errno.EISDIR: "it is a folder; expected a file name",
        errno.ENOENT: f"the folder {path.parent} does not exist; create it first",
        errno.ENOTDIR: f"{path.parent} is not a folder",
    }
    known = reasons.get(getattr(error, "errno", None) or 0)
    return SinkError(f"cannot write {path}: {known or getattr(error, 'strerror', None) or error}")


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
