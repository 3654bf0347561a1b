"""What the poses of an image mean for the tracks they were found on.

By pose is corrected what boxes got wrong: id switches, newcomers that are none, and duplicates.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from livepose import boxes
from livepose.compiled import kernel
from livepose.tracking._kernels import CROSSING_IOU, ESTABLISHED_S
from livepose.tracking.associate import assign, nested
from livepose.tracking.tracks import Floats, Mask, Rows, State, Tracks

LOST_S = 1.5  # may come back as the same person after last being seen
FRESH_S = 0.2  # keypoints older than this say little about the pose now
LEAST_COMMON = 4  # fewer keypoints seen in both poses say nothing about likeness

# docs/identity.md measured these.
SAME_POSE_OKS = 0.75  # two people with keypoints so alike are one ...
SAME_PLACE = 0.8  # ... or, one's box so far inside the other's, ...
SAME_JOINTS = 0.4  # ... with such a share of the same keypoints ...
COINCIDING = 0.05  # ... nearer than this part of the body's scale, unless both are established
IDENTITY_OKS = 0.25  # identities are exchanged for so much more likeness
RECOGNISE_OKS = 0.5  # a newcomer in the pose and place of somebody lost is that person

PROOF = ("best", "proven_s", "strong_s", "sure_since_s", "doubts")
PERSONAL = ("ids", "born_s", "own_s", "margins", "level", "chosen", "reach", "histograms", *PROOF)
"""What goes with the person when identities are exchanged; the rest belongs to the place."""


@dataclass(frozen=True)
class Seen:
    """Poses ``now_xy`` (N, K, 2) seen on the tracks ``rows`` (N,), NaN where they do not count."""

    tracks: Tracks
    rows: Rows
    now_xy: Floats
    time_s: float
    sigmas: Floats

    def correct(self) -> Mask:
        """Mends identities; returns who shows the pose of another (N,)."""
        self._correct_switches()
        self._recognise()
        return self._mark_duplicates()

    def _correct_switches(self) -> None:
        """Exchanges identities where poses continue another's.

        Where people meet, boxes overlap and prediction may be wrong (they turn back), but from one
        image to the next poses hardly change. Identities only move for a clear gain.
        """
        known = self.time_s - self.tracks.keypoints_s[self.rows] <= FRESH_S
        rows = self.rows[known]
        near = near_each_other(self.tracks, rows, CROSSING_IOU)
        if not near.any():
            return
        themselves = np.eye(len(rows), dtype=bool)
        likeness = self._like(rows, rows, self.now_xy[known], near | themselves)
        likeness += IDENTITY_OKS * themselves
        if (likeness.argmax(axis=1) == np.arange(len(rows))).all():
            return  # everybody looks most like themselves: no other assignment is better
        was, now = assign(likeness, 0.0)
        changed = was != now
        if changed.any() and len(np.intersect1d(was[changed], now[changed])) == changed.sum():
            hand_over(self.tracks, rows[was[changed]], rows[now[changed]])

    def _recognise(self) -> None:
        """Newcomers in the pose and place of somebody lost become that person."""
        new = self.tracks.born_s[self.rows] == self.time_s
        lost = self.tracks.where(State.LOST)
        if not len(lost) or not new.any():
            return
        rows = self.rows[new]
        everybody = np.ones((len(lost), len(rows)), dtype=bool)
        old, came = assign(self._like(lost, rows, self.now_xy[new], everybody), RECOGNISE_OKS)
        hand_over(self.tracks, lost[old], rows[came])
        drop(self.tracks, lost[old])

    def _mark_duplicates(self) -> Mask:
        """Who shows the pose of another (N,), also of one whose turn was before: that is hidden."""
        tracks, shown = self.tracks, len(self.rows)
        waits = (tracks.state == State.ACTIVE) & tracks.chosen
        waits &= self.time_s - tracks.keypoints_s <= LOST_S
        waits[self.rows] = False
        waiting = np.flatnonzero(waits)
        now_xy = np.concatenate([self.now_xy, propagated(tracks, waiting, self.time_s)])
        rows = np.concatenate([self.rows, waiting])
        duplicate = replace(self, rows=rows, now_xy=now_xy)._duplicates()
        hide(tracks, waiting[duplicate[shown:]])
        return duplicate[:shown]

    def _duplicates(self) -> Mask:
        """Which of the tracks show a pose that is somebody else's.

        Of two alike, the one that the detector agrees with stays, then the one whose pose was most
        like it before, then the elder. If that one never had a pose of its own and the other had,
        they are one person, who keeps the id.
        """
        tracks, rows, time_s = self.tracks, self.rows, self.time_s
        duplicate = np.zeros(len(rows), dtype=bool)
        alike = self._alike()
        if not alike.any():
            return duplicate
        unconfirmed = ~np.isnan(tracks.missed_s[rows])
        themselves = np.eye(len(rows), dtype=bool)
        surely = np.round(-self._like(rows, rows, self.now_xy, themselves).diagonal(), 1)
        order = np.lexsort((tracks.ids[rows], tracks.born_s[rows], surely, unconfirmed))
        rank = np.argsort(order)
        own = time_s - tracks.own_s[rows] > ESTABLISHED_S
        for one in order:
            better = np.flatnonzero(alike[one] & (rank < rank[one]) & ~duplicate)
            if not len(better):
                continue
            duplicate[one] = True
            best = better[rank[better].argmin()]
            given_s, kept_s = np.nan_to_num(tracks.proven_s[rows[[one, best]]], nan=-np.inf)
            if own[one] and not own[best]:
                hand_over(tracks, rows[[one, best]], rows[[best, one]])
                own[[one, best]] = own[[best, one]]
            elif given_s > kept_s:
                hand_over(tracks, rows[[one]], rows[[best]], PROOF)
        return duplicate

    def _alike(self) -> Mask:
        """Whose poses are one pose, (N, N)."""
        near = near_each_other(self.tracks, self.rows, 0.0)
        if not near.any():
            return near
        areas_px2 = areas_of(self.tracks, self.rows)
        alike = oks(self.now_xy, self.now_xy, areas_px2, self.sigmas, near) >= SAME_POSE_OKS
        places = boxes.to_xyxy(self.tracks.xywh[self.rows])
        within = near & (nested(places, places) > SAME_PLACE)
        if within.any():
            alike |= within & (coinciding(self.now_xy, areas_px2) >= SAME_JOINTS)
        return np.asarray(alike)

    def _like(self, before: Rows, now: Rows, now_xy: Floats, near: Mask) -> Floats:
        """OKS of how the tracks ``before`` (P,) should look with poses seen on ``now`` (Q,)."""
        before_xy = propagated(self.tracks, before, self.time_s)
        likeness: Floats = oks(before_xy, now_xy, areas_of(self.tracks, now), self.sigmas, near)
        return likeness


def areas_of(tracks: Tracks, rows: Rows) -> Floats:
    """Areas of the boxes of these tracks in px², (N,)."""
    return np.asarray(tracks.xywh[rows, 2] * tracks.xywh[rows, 3])


def near_each_other(tracks: Tracks, rows: Rows, least_iou: float) -> Mask:
    """Which of these tracks have boxes that overlap by more than that, (N, N)."""
    places = boxes.to_xyxy(tracks.xywh[rows])
    overlap = boxes.iou(places, places)
    np.fill_diagonal(overlap, 0.0)
    return np.asarray(overlap > least_iou)


def propagated(tracks: Tracks, rows: Rows, time_s: float) -> Floats:
    """Keypoints of these tracks, carried on with the speed of their boxes."""
    age_s = (time_s - tracks.keypoints_s[rows])[:, None]
    return np.asarray(tracks.keypoints_xy[rows] + (tracks.velocity[rows, :2] * age_s)[:, None, :])


def hide(tracks: Tracks, rows: Rows) -> None:
    """Takes duplicates out of sight: lost if the detector had missed them, else hidden."""
    missed = ~np.isnan(tracks.missed_s[rows])
    tracks.state[rows] = np.where(missed, State.LOST, State.HIDDEN)


def drop(tracks: Tracks, rows: Rows) -> None:
    """Tracks of people who go on as somebody else's: they die with the next image."""
    tracks.ids[rows], tracks.seen_s[rows] = 0, -np.inf


def hand_over(
    tracks: Tracks, givers: Rows, takers: Rows, names: tuple[str, ...] = PERSONAL
) -> None:
    """Gives what belongs to the persons of some tracks to other tracks."""
    for name in names:
        values = getattr(tracks, name)
        values[takers] = values[givers]


# -- how alike poses are ---------------------------------------------------------------------------


@kernel
def oks(
    first_xy: Floats, second_xy: Floats, areas_px2: Floats, sigmas: Floats, near: Mask
) -> Floats:
    """Object keypoint similarity of poses (P, K, 2) with poses (Q, K, 2): (P, Q), 0 to 1.

    COCO's measure, https://cocodataset.org/#keypoints-eval, over the keypoints that are not NaN
    in either; ``areas_px2`` (Q,) are the box areas of the second. 0 where fewer than
    ``LEAST_COMMON`` are, and for pairs that are not ``near`` (P, Q).
    """
    likeness = np.zeros(near.shape)
    for p in range(len(first_xy)):
        for q in range(len(second_xy)):
            close, common = 0.0, 0
            for k in range(len(sigmas) if near[p, q] else 0):
                dx = first_xy[p, k, 0] - second_xy[q, k, 0]
                dy = first_xy[p, k, 1] - second_xy[q, k, 1]
                apart_px2 = dx * dx + dy * dy
                if math.isfinite(apart_px2):
                    common += 1
                    spread_px2 = 2.0 * max(areas_px2[q], 1.0) * (2.0 * sigmas[k]) ** 2
                    close += math.exp(-apart_px2 / spread_px2)
            if common >= LEAST_COMMON:
                likeness[p, q] = close / common
    return likeness


def coinciding(keypoints_xy: Floats, areas_px2: Floats) -> Floats:
    """Share (P, P) of the keypoints seen in both of two poses (P, K, 2) that are the same point.

    Where OKS averages, this counts: a person found twice, once to the thigh and once to the feet,
    has one head and two pairs of legs. 0 where fewer than ``LEAST_COMMON`` are seen in both.
    """
    apart_px = np.linalg.norm(keypoints_xy[:, None] - keypoints_xy, axis=-1)
    scale_px = np.sqrt(np.minimum(areas_px2[:, None], areas_px2))
    count = np.isfinite(apart_px).sum(axis=-1)
    same = (apart_px < COINCIDING * scale_px[..., None]).sum(axis=-1)
    return np.where(count >= LEAST_COMMON, same / np.maximum(count, 1), 0.0)
