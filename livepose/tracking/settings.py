"""What can be chosen about tracking."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.void]
"""One row with a float64 for each setting, by its name; NaN for None. As kernels read settings."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of the tracker. A body scale is the root of a box's area, about a metre."""

    max_people: int | None = None
    """At most so many are handed out: the largest and surest, and those of before first."""
    detect_every: int | None = None
    """Frames from one detection to the next; None adapts to what moves."""
    whole_frame: bool = False
    """There is no detector: a detection is the whole picture, taken for one person who is then
    followed by keypoints; asked for again when they fade."""

    strong_score: float = 0.4
    """Detections from here on are matched first (ByteTrack's high score)."""
    birth_score: float = 0.3
    """Nobody is born of less."""
    sure_score: float = 0.6
    """Born at once from here on; in the very first picture ``birth_score`` is enough."""
    birth_hits: int = 3
    """So many detections in a row make a weak one a person."""

    match_iou: float = 0.2
    """Least overlap of a predicted box with a strong detection."""
    weak_match_iou: float = 0.4
    """Least overlap with a weak one, which may be half a ghost."""
    lost_match_iou: float = 0.15
    """Least overlap with somebody lost, both boxes grown by ``lost_buffer`` of their size."""
    lost_buffer: float = 0.3
    """How much boxes of the lost are grown on each side before they are compared."""

    coast_s: float = 0.3
    """Somebody neither detected nor seen by keypoints is handed out for so long."""
    unconfirmed_s: float = 1.5
    """Keypoints alone carry somebody so long past a detector that does not agree."""
    lost_s: float = 1.5
    """Somebody lost can come back as the same person for so long after last being seen."""
    stall_s: float = 3.0
    """... or until the next picture, if that comes no later than this."""

    keypoint_score: float = 0.15
    """A keypoint counts from here on."""
    least_keypoints: int = 3
    """Fewer of them do not hold a person."""
    least_level: float = 0.1
    """Mean score of all keypoints below which they are faded, whatever they were before."""
    fade_ratio: float = 0.5
    """... or below this part of the mean score that the person had at the last detection."""

    proof_score: float = 0.8
    """Detector (``sure_score``) or keypoints must be sure that somebody is somebody: the mean of
    the best ``PROOF_KEYPOINTS``. A striped post has 0.73 in a tenth of its pictures."""
    usual_score: float = 0.73
    """... or their average over ``BEST_S``. The post has 0.67; people who are seen whole and sit
    still have 0.8 and more."""
    moving_score: float = 0.4
    """Enough for who moves as posts and chairs do not, or has been proven for ``proof_s``."""
    lasting_s: float = 2.0
    """... and again so lately."""
    moving_detection: float = 0.5
    """The same of the detector's score."""
    proof_s: float = 0.5
    """Who is not sure again for so long is nobody; sooner, who was sure only for a moment."""
    moved: float = 0.35
    """Body scales in a second; the boxes of posts and signs tremble by up to 0.24."""

    same_pose_oks: float = 0.75
    """Two people with keypoints so alike are one ..."""
    same_place: float = 0.8
    """... as are two, one's box so far inside the other's, ..."""
    same_joints: float = 0.4
    """... of whose keypoints such a share is the same ..."""
    established_s: float = 0.5
    """... unless both had poses of their own for so long: then one stands before the other, who
    stays without keypoints as long as the detector finds them."""
    contained: float = 0.6
    """A box so far inside another's is not believed to be somebody else at once."""
    identity_oks: float = 0.25
    """A pose must look so much more like somebody else's before identities are exchanged."""
    recognise_oks: float = 0.5
    """A newcomer in the pose and place of somebody lost is that person."""

    same_colours: float = 0.84
    """A newcomer whose colours are so alike is somebody who left before ..."""
    same_colours_margin: float = 0.06
    """... if so much more than anybody else's, here or gone ..."""
    memory_s: float = 30.0
    """... so long ago at most ..."""
    recognise_s: float = 1.0
    """... and only so long after it came."""

    correct_joints: bool = True
    """Exchange left and right back when they swap for a moment; do not believe jumps."""

    settle_s: float = 1.0
    """The detector looks at every picture so long after the first."""
    interval_s: float = 0.5
    """Adaptive rest: newcomers wait so long at most."""
    busy_interval_s: float = 0.2
    """... while somebody moves faster than ``fast_speed``, or is lost ..."""
    crossing_interval_s: float = 0.045
    """... and while boxes overlap by more than ``crossing_iou`` and one passes the other."""
    passing_speed: float = 0.3
    """Body scales a second; three women side by side stay below it (docs/identity.md)."""
    fast_speed: float = 1.0
    """Body scales a second."""
    crossing_iou: float = 0.2
    """Overlap from which on people may be mixed up."""

    acceleration: float = 0.7
    """How much speed changes: white acceleration noise in body scales / s^2, per root Hz."""
    box_noise: float = 0.06
    """How much measured edges tremble, in body scales."""

    numbers: Numbers = field(init=False, repr=False, compare=False)
    """The same again, see ``Numbers``."""

    def __post_init__(self) -> None:
        for name in ("max_people", "detect_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1 or None, got {value}")
        object.__setattr__(self, "numbers", self._as_row())

    def _as_row(self) -> Numbers:
        names = [one.name for one in fields(self) if one.init]
        values: list[Any] = [getattr(self, name) for name in names]
        row = tuple(np.nan if value is None else float(value) for value in values)
        return np.array([row], dtype=[(name, np.float64) for name in names])
