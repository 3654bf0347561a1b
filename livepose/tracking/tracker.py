"""The tracker: the order of things for each image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.skeletons import COCO17
from livepose.tracking import _kernels, associate, motion
from livepose.tracking.identity import LOST_S, UNKNOWN_SIGMA, Seen, hide, limbs_of
from livepose.tracking.reid import ReIdentification, learn_histograms
from livepose.tracking.tracks import Floats, Rows, State, Tracks

STALL_S = 3.0  # who is lost may come back until the next image, if that comes no later
SETTLE_S = 1.0  # so long after the first image each one is looked at


@dataclass(frozen=True, slots=True)
class TrackerSettings:
    """What can be chosen about tracking; thresholds stand beside the rules that they belong to."""

    max_people: int | None = None  # handed out at most: those of before first, then the largest
    detect_every: int | None = None  # frames from one detection to the next; None: adaptive
    # Without a detector a detection is the whole image, taken for one person, who is followed by
    # keypoints from then on; it is asked for again when they fade.
    whole_frame: bool = False
    coast_s: float = 0.3  # handed out so long, neither detected nor seen by keypoints

    def __post_init__(self) -> None:
        for name in ("max_people", "detect_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: expected at least 1 or None, got {value}")


@dataclass(frozen=True, slots=True)
class Tracked:
    """People to look at: ``boxes_xyxy`` (T, 4), ``track_ids`` int64 (T,), ``scores`` (T,)."""

    boxes_xyxy: Boxes
    track_ids: NDArray[np.int64]
    scores: Floats

    def __len__(self) -> int:
        return len(self.track_ids)

    def select(self, which: NDArray[np.bool_]) -> "Tracked":
        """Those for whom the mask (T,) is true."""
        if which.all():
            return self
        return Tracked(self.boxes_xyxy[which], self.track_ids[which], self.scores[which])


class Found(Protocol):
    """What a detector says of one image: ``boxes_xyxy`` (N, 4), ``scores`` (N,), 0 to 1."""

    @property
    def boxes_xyxy(self) -> Boxes: ...  # noqa: D102
    @property
    def scores(self) -> Floats: ...  # noqa: D102


class Tracker:
    """Follows people through the images of one stream.

    For each image: ask ``needs_detection``; ``update`` with the detections, or None while the
    detector rests; estimate poses in the boxes that it returns; ``observe`` those poses, and go on
    with the poses that ``observe`` returns. Times are seconds and may be irregular; 0.0 is a time.
    When time runs backwards everybody is forgotten. Ids count from 1 for each tracker, and again
    from 1 after ``reset``.

    Parameters
    ----------
    settings : TrackerSettings, optional
        How many people, and when to detect.
    oks_sigmas : sequence of float, optional
        How precisely each keypoint is known, K of them; by default those of COCO's 17. None
        takes a middling value for as many as come.
    """

    def __init__(
        self,
        settings: TrackerSettings | None = None,
        oks_sigmas: Sequence[float] | None = COCO17.oks_sigmas,
    ) -> None:
        self.settings = settings or TrackerSettings()
        self._given_sigmas = None if oks_sigmas is None else np.array(oks_sigmas, dtype=np.float64)
        self.reset()

    def reset(self) -> None:
        """Forgets everybody; the tracker is as new."""
        sigmas = COCO17.keypoints if self._given_sigmas is None else self._given_sigmas
        self._tracks = Tracks.born(np.empty((0, 4)), np.empty(0), 0.0, len(sigmas))
        self._next_id = 1
        self._time_s: float | None = None
        self._frames_since_detection = 0
        self._coast_s = self.settings.coast_s
        self.begin_shot()

    def begin_shot(self) -> None:
        """The next image shows something else: everybody in it is new, and ids go on counting.

        Colours of clothes alone do not say who is who in another light, before another camera.
        """
        self._tracks = self._tracks.select(np.zeros(len(self._tracks), dtype=bool))
        self._reid = ReIdentification()
        self._first_detected_s: float | None = None
        self._detected_s = math.inf

    # -- the questions -----------------------------------------------------------------------------

    def needs_detection(self, time_s: float) -> bool:
        """Whether the detector should look at the image at ``time_s``."""
        chosen, table = self.settings, self._tracks.table
        if self._first_detected_s is None or time_s < self._detected_s:
            return True
        if _kernels.anybody_fades(table, time_s, chosen.coast_s):
            return True
        if chosen.whole_frame:
            return not len(self._tracks.where(State.ACTIVE))
        if chosen.detect_every is not None:
            return self._frames_since_detection + 1 >= chosen.detect_every
        settles = time_s - self._first_detected_s < SETTLE_S
        return bool(settles or time_s - self._detected_s >= _kernels.interval_s(table))

    def predict(self, time_s: float) -> Tracked:
        """Where everybody should be at ``time_s``; changes nothing."""
        later = self._tracks.table.copy()
        motion.advance(later, self._since(time_s))
        return Tracked(*_kernels.handed_out(later))

    def _since(self, time_s: float) -> float:
        """Seconds since the last image."""
        return 0.0 if self._time_s is None else max(0.0, time_s - self._time_s)

    # -- the way of an image ----------------------------------------------------------------------

    def update(
        self, time_s: float, detections: Found | None, image_bgr: ImageBgr | None = None
    ) -> Tracked:
        """The people in the image at ``time_s``, by id; their boxes are to be looked at.

        ``detections`` is None while the detector rests, and empty when it found nobody. Boxes
        that are NaN or empty are left out. With the image, uint8 (H, W, 3), people who left are
        known again by their colours when they come back.

        Raises
        ------
        ValueError
            When the time is not finite.
        """
        if not math.isfinite(time_s):
            raise ValueError(f"time_s: expected finite seconds, got {time_s}")
        self._advance(time_s)
        self._frames_since_detection += 1
        if detections is not None:
            self._take_detections(time_s, detections)
        _kernels.coast(self._tracks.table, time_s, self._coast_s)
        if detections is not None:
            if image_bgr is not None:
                learn_histograms(self._tracks, image_bgr, time_s)
            self._assign_ids()
            self._reid.recognise(self._tracks, time_s)
        most = self.settings.max_people or len(self._tracks)
        _kernels.select_outputs(self._tracks.table, most, time_s)
        return Tracked(*_kernels.handed_out(self._tracks.table))

    def observe(self, time_s: float, poses: Poses) -> Poses:
        """Takes in the keypoints found in the boxes of ``update``; moves boxes, mends identities.

        Returns the same poses with identities mended, left and right exchanged back, jumped
        keypoints taken away, and without those that were somebody else's pose seen twice or that
        nothing has been sure of yet; who stands behind whoever it was has no keypoints. Poses of
        unknown ids pass untouched, first.
        """
        found = _kernels.find_rows(self._tracks.table, poses.track_ids, time_s)
        rows, count, mixed_up = found
        if count == len(poses):
            return self._take_in(time_s, poses, rows, mixed_up) if count else poses
        known = rows >= 0
        seen = self._take_in(time_s, poses.select(known), rows[known], mixed_up)
        return poses.select(~known).joined(seen)

    def _take_in(self, time_s: float, poses: Poses, rows: Rows, mixed_up: bool) -> Poses:
        """Stores poses (N) seen on the tracks ``rows``; returns them as they are believed.

        Identities are looked at only if they may be ``mixed_up``.
        """
        sigmas = self._sigmas(poses.keypoint_scores.shape[1])
        tracks, duplicate = self._tracks, np.zeros(len(poses), dtype=np.bool_)
        hidden = duplicate
        if mixed_up:
            counts = poses.keypoint_scores >= _kernels.KEYPOINT_SCORE
            now_xy = np.where(counts[..., None], poses.keypoints_xy, np.nan)
            duplicate = Seen(tracks, rows, now_xy, time_s, sigmas).correct()
            # The pose in the box of whoever has long had one, and is still found by the detector,
            # is that of somebody who stands before: the person stays, without keypoints.
            established = time_s - tracks.own_s[rows] > _kernels.ESTABLISHED_S
            veiled = duplicate & established & np.isnan(tracks.missed_s[rows])
            hidden = duplicate & ~veiled
            poses = poses.with_arrays(track_ids=tracks.ids[rows])
            poses = poses.without_keypoints(veiled[:, None]) if veiled.any() else poses
        limbs, places = limbs_of(poses.skeleton), (poses.keypoints_xy, poses.keypoint_scores)
        seen = *(np.ascontiguousarray(one, dtype=np.float64) for one in places), duplicate
        swapped, refused, doubtful, unchanged = _kernels.take_in(
            tracks.table, tracks.joints, rows, seen, limbs, time_s, self.settings.whole_frame
        )
        if unchanged and not mixed_up:
            return poses
        if swapped.any():
            poses = poses.swapped(swapped, limbs[0])
        if refused.any():
            poses = poses.without_keypoints(refused)
        hide(tracks, rows[hidden])
        return poses.select(~(doubtful | hidden))

    def _sigmas(self, keypoints: int) -> Floats:
        """OKS sigmas of so many keypoints; makes room for them in the tracks."""
        if self._tracks.joints.shape[1] != keypoints:
            self._tracks = self._tracks.with_keypoints(keypoints)
        if self._given_sigmas is not None and len(self._given_sigmas) == keypoints:
            return self._given_sigmas
        return np.full(keypoints, UNKNOWN_SIGMA)

    # -- update ------------------------------------------------------------------------------------

    def _advance(self, time_s: float) -> None:
        """Moves everybody to ``time_s``; who was not seen for too long dies."""
        if self._time_s is not None and time_s < self._time_s:
            self.begin_shot()
        dt_s = self._since(time_s)
        # Who was seen in the image before has not been missed yet, however long ago that is.
        self._coast_s = max(self.settings.coast_s, dt_s)
        lost_s = max(LOST_S, dt_s if dt_s <= STALL_S else 0.0)
        if time_s - motion.advance(self._tracks.table, dt_s) > lost_s:
            dead = time_s - self._tracks.seen_s > lost_s
            self._reid.part_from(self._tracks, dead)
            self._tracks = self._tracks.select(~dead)
        self._reid.forget(time_s)
        self._time_s = time_s

    def _take_detections(self, time_s: float, detections: Found) -> None:
        """The detector has looked."""
        boxes_xyxy = np.asarray(detections.boxes_xyxy, dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(detections.scores, dtype=np.float64).reshape(-1)
        usable = np.isfinite(boxes_xyxy).all(axis=1) & np.isfinite(scores)
        usable &= (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1)
        if self.settings.whole_frame:
            self._seed(time_s, boxes_xyxy[usable][:1], scores[usable][:1])
        else:
            self._meet(time_s, boxes_xyxy[usable], scores[usable])
        self._first_detected_s = (
            time_s if self._first_detected_s is None else self._first_detected_s
        )
        self._detected_s = time_s
        self._frames_since_detection = 0

    def _meet(self, time_s: float, boxes_xyxy: Boxes, scores: Floats) -> None:
        owner = associate.match(self._tracks, boxes_xyxy, scores)
        met, free = owner >= 0, owner < 0
        missing = self._tracks.state != int(State.LOST)
        missing[owner[met]] = False
        missed = np.flatnonzero(missing)
        associate.absorb(self._tracks, owner[met], boxes_xyxy[met], scores[met], time_s)
        self._tracks = associate.lose(self._tracks, missed, time_s, self._coast_s)
        if free.any():
            first = self._first_detected_s is None
            new = associate.born(self._tracks, boxes_xyxy[free], scores[free], time_s, first)
            self._tracks = self._tracks.joined(new)

    def _seed(self, time_s: float, boxes_xyxy: Boxes, scores: Floats) -> None:
        """Without a detector: the whole image is the person, unless keypoints know better."""
        if not len(boxes_xyxy):
            return
        if not len(self._tracks):
            self._tracks = associate.born(self._tracks, boxes_xyxy, scores, time_s, True)
        elif not (self._tracks.faded[0] or self._tracks.state[0] == State.LOST):
            return
        tracks = self._tracks
        motion.start(tracks.table[:1], boxes_xyxy, motion.UNKNOWN_NOISE)
        tracks.state[0], tracks.seeded[0] = State.ACTIVE, True
        tracks.seen_s[0] = tracks.detected_s[0] = time_s
        tracks.level[0] = np.nan

    def _assign_ids(self) -> None:
        """Gives ids to those who have become people, largest first."""
        tracks = self._tracks
        new = tracks.where(State.ACTIVE)
        new = new[tracks.ids[new] == 0]
        order = np.argsort(-tracks.xywh[new, 2] * tracks.xywh[new, 3], kind="stable")
        tracks.ids[new[order]] = self._next_id + np.arange(len(new))
        self._next_id += len(new)
