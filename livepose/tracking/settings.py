"""What can be chosen about tracking."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.void]
"""One row with a float64 for each setting, by its name; NaN for None. As kernels read settings."""


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """Thresholds of the tracker. A body scale is the root of a box's area, about a metre.

    Where no source is named, docs/identity.md has the measurement.
    """

    max_people: int | None = None  # handed out at most: those of before first, then the largest
    detect_every: int | None = None  # frames from one detection to the next; None: adaptive
    # Without a detector a detection is the whole picture, taken for one person, who is followed by
    # keypoints from then on; it is asked for again when they fade.
    whole_frame: bool = False

    # Births, after ByteTrack (https://arxiv.org/abs/2110.06864).
    strong_score: float = 0.4  # detections from here on are matched first
    birth_score: float = 0.3  # nobody is born of less; enough in the very first picture
    sure_score: float = 0.6  # born at once from here on
    birth_hits: int = 3  # so many detections in a row make a weak one a person

    # Least overlap of a predicted box with a strong detection, a weak one (half a ghost), and of
    # somebody lost, both boxes grown by a part of their size on each side.
    match_iou: float = 0.2
    weak_match_iou: float = 0.4
    lost_match_iou: float = 0.15
    lost_buffer: float = 0.3

    # How long somebody stays.
    coast_s: float = 0.3  # handed out, neither detected nor seen by keypoints
    unconfirmed_s: float = 1.5  # carried by keypoints alone, past a detector that does not agree
    lost_s: float = 1.5  # may come back as the same person after last being seen
    stall_s: float = 3.0  # ... or until the next picture, if that comes no later

    # Which keypoints hold a person.
    keypoint_score: float = 0.15  # a keypoint counts from here on
    least_keypoints: int = 3  # fewer do not hold a person
    least_level: float = 0.1  # mean score of all keypoints below which they are faded ...
    fade_ratio: float = 0.5  # ... or below this part of the mean at the last detection

    # Proof that somebody is somebody, by the mean of the best five keypoints: a striped post has
    # 0.73 in a tenth of its pictures and 0.67 on average, people who sit still 0.8 and more, and a
    # box that wanders over a wall 0.42.
    proof_score: float = 0.8
    usual_score: float = 0.73  # enough on average over a second
    moving_score: float = 0.45  # enough for who moves as posts do not, or is proven for ``proof_s``
    moving_detection: float = 0.5  # the same of the detector's score
    lasting_s: float = 2.0  # ... and was sure so lately
    proof_s: float = 0.5  # who is not sure again for so long is nobody
    moved: float = 0.35  # body scales in a second; boxes of posts tremble by up to 0.24

    # Who is whose double.
    same_pose_oks: float = 0.75  # two people with keypoints so alike are one ...
    same_place: float = 0.8  # ... or, one's box so far inside the other's, ...
    same_joints: float = 0.4  # ... with such a share of the same keypoints ...
    established_s: float = 0.5  # ... unless both had poses of their own for so long
    contained: float = 0.6  # a box so far inside another's is not believed at once
    identity_oks: float = 0.25  # identities are exchanged for so much more likeness
    recognise_oks: float = 0.5  # a newcomer in the pose and place of somebody lost is that person

    # Re-identification by the colours worn.
    same_colours: float = 0.84  # a newcomer so alike is somebody who left ...
    same_colours_margin: float = 0.06  # ... if so much more than anybody else ...
    memory_s: float = 30.0  # ... so long ago at most ...
    recognise_s: float = 1.0  # ... and only so long after it came

    # Detection intervals.
    settle_s: float = 1.0  # so long after the first picture each one is looked at
    interval_s: float = 0.5  # newcomers wait so long at most
    busy_interval_s: float = 0.2  # ... while somebody is fast or lost
    crossing_interval_s: float = 0.045  # ... while boxes overlap and one passes the other
    passing_speed: float = 0.3  # body scales a second; three women side by side stay below
    fast_speed: float = 1.0  # body scales a second
    crossing_iou: float = 0.2  # overlap from which on people may be mixed up

    acceleration: float = 0.7  # of boxes: white noise in body scales / s^2, per root Hz
    box_noise: float = 0.06  # how much measured edges tremble, in body scales

    numbers: Numbers = field(init=False, repr=False, compare=False)
    """The same again, see ``Numbers``."""

    def __post_init__(self) -> None:
        for name in ("max_people", "detect_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1 or None, got {value}")
        names = [one.name for one in fields(self) if one.init]
        values: list[Any] = [getattr(self, name) for name in names]
        row = tuple(np.nan if value is None else float(value) for value in values)
        numbers = np.array([row], dtype=[(name, np.float64) for name in names])
        object.__setattr__(self, "numbers", numbers)
