"""Everybody who is followed, in one table, and how their boxes move.

A box is centre and size, ``xywh``, with its velocity in px/s and, for each of these four,
var(value), cov(value, velocity) and var(velocity): a constant-velocity Kalman filter in closed
form. Noise is in body scales, so near and far people are treated alike. After SORT (Bewley et al.,
ICIP 2016, https://doi.org/10.1109/ICIP.2016.7533003).

While the detector rests boxes follow keypoints. The box around those alone would lose the head's
top and shrink as keypoints at its rim fade. So each person learns how far the detector's box
reaches beyond the keypoints (as BlazePose does, https://arxiv.org/abs/2006.10204); between
detections each edge first moves as the keypoints seen both times do, then is drawn to where the
margin puts it: quickly outwards, slowly inwards.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes, Sides, around, to_xywh, to_xyxy
from livepose.compiled import kernel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

ACCELERATION = 0.7  # white noise in body scales / s^2, per root Hz
BOX_NOISE = 0.06  # how much measured edges tremble, in body scales
UNKNOWN_NOISE = 1e6  # of a box that is the whole image: the first keypoints say where it is
START_SPEED = 1.0  # standard deviation of the speed of a newcomer, body scales a second
SIZE_MEMORY_S = 0.5  # a change of size goes on for so long: boxes do not shrink for ever
START_MARGINS = (0.1, 0.15, 0.1, 0.1)  # left, top, right, bottom, of a person seen whole
MARGIN_RATE, MOST_MARGIN = 0.3, 1.5  # how quickly margins are learned, and the largest
OUTWARDS_S, INWARDS_S = 0.1, 0.5  # how quickly an edge goes where its margin puts it


class State:
    """What is known of a track; plain integers, which NumPy compares ten times as fast as Enums."""

    TENTATIVE = 0
    """Weakly detected, not yet believed; has no id."""
    ACTIVE = 1
    """Handed out."""
    HIDDEN = 2
    """Detected, but its pose was another's: not handed out until the boxes part, or the detector
    finds this one alone."""
    LOST = 3
    """Out of sight; may come back."""


ROW = np.dtype(
    [
        ("ids", np.int64),  # 0 until it becomes a person
        ("state", np.int64),  # a State
        ("hits", np.int64),  # detections so far
        ("scores", np.float64),  # of the last detection
        ("born_s", np.float64),
        ("seen_s", np.float64),  # last detected or seen by good keypoints
        ("detected_s", np.float64),
        ("missed_s", np.float64),  # when the detector first missed it, NaN while it agrees
        ("keypoints_s", np.float64),  # when a pose was last taken in
        # Since when it has a pose of its own, NaN while that is somebody else's; whoever has had
        # one for long enough keeps it (``ESTABLISHED_S``).
        ("own_s", np.float64),
        ("level", np.float64),  # mean score of the keypoints at the last detection
        ("faded", np.bool_),  # they are much lower now
        ("chosen", np.bool_),  # among the ``max_people`` at the last frame
        ("seeded", np.bool_),  # the box is the whole image, not a person's
        ("xywh", np.float64, 4),
        ("velocity", np.float64, 4),
        ("variance", np.float64, (4, 3)),
        ("looked_xyxy", np.float64, 4),  # the box when the keypoints were seen
        ("margins", np.float64, 4),  # keypoints to box edge, outwards, by the keypoints' extent
        # Whether it is somebody: see ``joints.prove``.
        ("best", np.float64),  # mean score of the best keypoints of late
        ("proven_s", np.float64),  # when detector or keypoints were last sure
        ("strong_s", np.float64),  # ... whether it moves or not
        ("sure_since_s", np.float64),  # since when they have been, again and again
        ("doubts", np.int64),  # images since ``proven_s`` in which neither was
        ("anchor_xy", np.float64, 2),  # the box's centre at ``anchor_s``, a second ago at most
        ("anchor_s", np.float64),
        ("moved_s", np.float64),  # when it was last clearly elsewhere than at its anchor
        ("histograms", np.float64, 432),  # the colours that it wears: see ``reid``
    ],
    align=True,
)
NUMBERS = [name for name in ROW.names or () if ROW[name].base == np.float64]

JOINT_COLUMNS = 9
KEYPOINT, PLACE, VELOCITY = slice(0, 2), slice(2, 4), slice(4, 6)
WHEN, SWAPPED, REACH = 6, 7, 8
"""Columns of ``joints``: the keypoint of the last image, NaN below the score that counts; where
it was last believed to be, how fast it went in px/s, and when that was; since when the left one of
a pair is exchanged back, NaN while it is not; greatest length of its limb, in body scales."""


class Tracks:
    """T tracks with K keypoints; times are seconds, and what is not known yet is NaN.

    ``table`` (T,) of ``ROW`` holds what there is of each, ``joints`` (T, K, ``JOINT_COLUMNS``) what
    there is of each keypoint. Each field of the table is an attribute, to be written into and never
    to be replaced.
    """

    def __init__(self, table: NDArray[np.void], joints: Floats) -> None:
        self.table, self.joints = table, joints

    def __getattr__(self, name: str) -> NDArray[Any]:
        column: NDArray[Any] = self.table[name]
        setattr(self, name, column)  # only the first time is it looked up here
        return column

    @classmethod
    def born(cls, boxes_xyxy: Boxes, scores: Floats, time_s: float, keypoints: int) -> "Tracks":
        """Tracks of detections (N, 4), tentative and without ids."""
        joints = np.full((len(boxes_xyxy), keypoints, JOINT_COLUMNS), np.nan)
        joints[..., VELOCITY] = 0.0
        tracks = cls(np.zeros(len(boxes_xyxy), dtype=ROW), joints)
        for name in NUMBERS:
            tracks.table[name] = np.nan
        start(tracks.table, boxes_xyxy)
        tracks.state[:], tracks.hits[:], tracks.scores[:] = State.TENTATIVE, 1, scores
        tracks.born_s[:] = tracks.seen_s[:] = tracks.detected_s[:] = time_s
        tracks.looked_xyxy[:], tracks.margins[:] = boxes_xyxy, START_MARGINS
        return tracks

    def __len__(self) -> int:
        return len(self.table)

    @property
    def boxes_xyxy(self) -> Boxes:
        """Boxes as they are believed to be, (T, 4)."""
        return to_xyxy(self.table["xywh"])

    @property
    def keypoints_xy(self) -> Floats:
        """Keypoints of the last image, (T, K, 2), NaN below the score that counts."""
        return self.joints[..., KEYPOINT]

    @property
    def reach(self) -> Floats:
        """Greatest length of the limb to the keypoint before, (T, K), in body scales."""
        return self.joints[..., REACH]

    def select(self, which: NDArray[Any]) -> "Tracks":
        """These tracks, by mask or index."""
        if which.dtype == bool and which.all():
            return self
        return Tracks(self.table[which], self.joints[which])

    def joined(self, others: "Tracks") -> "Tracks":
        """These tracks and then those."""
        table = np.empty(len(self) + len(others), dtype=ROW)  # concatenating would pack the fields
        table[: len(self)], table[len(self) :] = self.table, others.table
        return Tracks(table, np.concatenate([self.joints, others.joints]))

    def where(self, *states: int) -> Rows:
        """Rows in one of these states."""
        wanted = self.state == states[0]
        for state in states[1:]:
            wanted |= self.state == state
        return np.flatnonzero(wanted)


def start(table: Any, boxes_xyxy: Boxes, noise: float = BOX_NOISE) -> None:
    """Puts tracks (T,) into boxes (T, 4), of which nothing is known but their noise."""
    table["xywh"], table["velocity"], table["variance"] = to_xywh(boxes_xyxy), 0.0, 0.0
    scale_px = np.sqrt(np.maximum(table["xywh"][:, 2] * table["xywh"][:, 3], 1.0))[:, None]
    table["variance"][..., 0] = (noise * scale_px) ** 2
    table["variance"][..., 2] = (START_SPEED * scale_px) ** 2


# -- kernels; ``person`` is a row of the table -----------------------------------------------------


@kernel
def scale_of(xywh: Floats) -> float:
    """Body scale of a box (4,), in px."""
    return math.sqrt(max(xywh[2] * xywh[3], 1.0))


@kernel
def edges_of(xywh: Floats) -> Sides:
    """Left, top, right and bottom of a box (4,)."""
    half_x, half_y = xywh[2] / 2, xywh[3] / 2
    return xywh[0] - half_x, xywh[1] - half_y, xywh[0] + half_x, xywh[1] + half_y


@kernel
def advance(table: Any, dt_s: float) -> float:
    """Moves all boxes, and their speeds, on by ``dt_s``; when the longest unseen was seen."""
    oldest_s = math.inf
    for t in range(len(table)):
        oldest_s = min(oldest_s, table[t].seen_s)
        xywh, velocity, variance = table[t].xywh, table[t].velocity, table[t].variance
        density = ACCELERATION * ACCELERATION * max(xywh[2] * xywh[3], 1.0)
        for i in range(4):
            value, cross, rate = variance[i]
            variance[i, 0] = value + 2.0 * dt_s * cross + dt_s**2 * rate + density * dt_s**3 / 3.0
            variance[i, 1] = cross + dt_s * rate + density * dt_s**2 / 2.0
            variance[i, 2] = rate + density * dt_s
            xywh[i] += velocity[i] * dt_s
        for i in (2, 3):
            xywh[i] = max(xywh[i], 1.0)
            velocity[i] *= math.exp(-dt_s / SIZE_MEMORY_S)
    return oldest_s


@kernel
def correct(person: Any, box_xyxy: Floats) -> None:
    """Corrects a box by a measurement of it, (4,)."""
    xywh, velocity, variance = person.xywh, person.velocity, person.variance
    noise2_px2 = BOX_NOISE * BOX_NOISE * max(xywh[2] * xywh[3], 1.0)
    left, top, right, bottom = box_xyxy
    measured = ((left + right) / 2.0, (top + bottom) / 2.0, right - left, bottom - top)
    for i in range(4):
        value, cross, rate = variance[i]
        gain, rate_gain = value / (value + noise2_px2), cross / (value + noise2_px2)
        surprise = measured[i] - xywh[i]
        xywh[i] += gain * surprise
        velocity[i] += rate_gain * surprise
        variance[i, 0] = (1.0 - gain) * value
        variance[i, 1] = (1.0 - gain) * cross
        variance[i, 2] = rate - rate_gain * cross
    for i in (2, 3):
        xywh[i] = max(xywh[i], 1.0)


@kernel
def correct_rows(table: Any, rows: Rows, boxes_xyxy: Floats) -> None:
    """Corrects the tracks in ``rows`` (N,) by boxes (N, 4)."""
    for n in range(len(rows)):
        correct(table[rows[n]], boxes_xyxy[n])


@kernel
def learn_margins(margins: Floats, now_xy: Floats, detected_xyxy: Sides) -> None:
    """Margins (4,) of a person whose keypoints (K, 2) lie in a detected box, in place."""
    found = around(now_xy, now_xy)
    extent = max(max(found[2] - found[0], found[3] - found[1]), 1.0)
    for i in range(4):
        sign = -1.0 if i < 2 else 1.0
        seen = (detected_xyxy[i] - found[i]) * sign / extent
        if math.isfinite(seen):
            margins[i] += MARGIN_RATE * (min(max(seen, 0.0), MOST_MARGIN) - margins[i])


@kernel
def move_with_keypoints(person: Any, before_xy: Floats, now_xy: Floats, dt_s: float) -> None:
    """Moves a box along with its keypoints (K, 2), which were those before ``dt_s`` earlier."""
    found = around(now_xy, now_xy)
    was, became = around(before_xy, now_xy), around(now_xy, before_xy)
    extent = max(max(found[2] - found[0], found[3] - found[1]), 1.0)
    box_xyxy = person.looked_xyxy.copy()
    for i in range(4):
        sign = -1.0 if i < 2 else 1.0
        step = became[i] - was[i]
        moved = box_xyxy[i] + (step if math.isfinite(step) else 0.0)
        wanted = found[i] + sign * person.margins[i] * extent
        box_xyxy[i] = moved
        if math.isfinite(wanted):
            pull_s = OUTWARDS_S if (wanted - moved) * sign > 0.0 else INWARDS_S
            edge = moved - math.expm1(-dt_s / pull_s) * (wanted - moved)
            box_xyxy[i] = sign * max(sign * edge, sign * found[i])
    correct(person, box_xyxy)
