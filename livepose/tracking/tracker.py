"""The tracker: the order of things for each image."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.frame import ImageBgr
from livepose.poses import Poses
from livepose.skeletons import COCO17, Skeleton
from livepose.tracking import _kernels, associate, tracks
from livepose.tracking.identity import LOST_S, Seen, hide
from livepose.tracking.joints import Limbs
from livepose.tracking.reid import ReIdentification, learn_histograms
from livepose.tracking.tracks import Floats, Mask, State, Tracks

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


@dataclass(frozen=True, slots=True)
class Tracked:
    """People to look at: ``boxes_xyxy`` (T, 4), ``track_ids`` int64 (T,), ``scores`` (T,)."""

    boxes_xyxy: Boxes
    track_ids: NDArray[np.int64]
    scores: Floats

    def __len__(self) -> int:
        return len(self.track_ids)

    def select(self, which: Mask) -> "Tracked":
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
    skeleton : Skeleton
        That of the poses. Where it has no OKS sigmas, a middling one is taken.
    """

    def __init__(
        self, settings: TrackerSettings | None = None, skeleton: Skeleton = COCO17
    ) -> None:
        self.settings = settings or TrackerSettings()
        self._keypoints = len(skeleton.keypoints)
        self._sigmas = np.array(skeleton.sigmas_or_middling)
        self._limbs = _limbs_of(skeleton)
        self.reset()

    def reset(self) -> None:
        """Forgets everybody; the tracker is as new."""
        self._tracks = Tracks.born(np.empty((0, 4)), np.empty(0), 0.0, self._keypoints)
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
        tracks.advance(later, self._since(time_s))
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

    def _advance(self, time_s: float) -> None:
        """Moves everybody to ``time_s``; who was not seen for too long dies."""
        if self._time_s is not None and time_s < self._time_s:
            self.begin_shot()
        dt_s = self._since(time_s)
        # Who was seen in the image before has not been missed yet, however long ago that is.
        self._coast_s = max(self.settings.coast_s, dt_s)
        lost_s = max(LOST_S, dt_s if dt_s <= STALL_S else 0.0)
        if time_s - tracks.advance(self._tracks.table, dt_s) > lost_s:
            dead = time_s - self._tracks.seen_s > lost_s
            self._reid.part_from(self._tracks, dead)
            self._tracks = self._tracks.select(~dead)
        self._time_s = time_s

    def _take_detections(self, time_s: float, detections: Found) -> None:
        boxes_xyxy = np.asarray(detections.boxes_xyxy, dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(detections.scores, dtype=np.float64).reshape(-1)
        usable = np.isfinite(boxes_xyxy).all(axis=1) & np.isfinite(scores)
        usable &= (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(axis=1)
        boxes_xyxy, scores = boxes_xyxy[usable], scores[usable]
        first = self._first_detected_s is None
        if self.settings.whole_frame:
            self._seed(time_s, boxes_xyxy, scores)
        else:
            self._tracks = associate.meet(
                self._tracks, boxes_xyxy, scores, time_s, self._coast_s, first
            )
        self._first_detected_s = time_s if first else self._first_detected_s
        self._detected_s, self._frames_since_detection = time_s, 0

    def _seed(self, time_s: float, boxes_xyxy: Boxes, scores: Floats) -> None:
        """Without a detector: the whole image is the person, unless keypoints know better."""
        if not len(boxes_xyxy):
            return
        if not len(self._tracks):
            self._tracks = associate.born(self._tracks, boxes_xyxy, scores, time_s, True)
        elif not (self._tracks.faded[0] or self._tracks.state[0] == State.LOST):
            return
        table = self._tracks.table[:1]
        tracks.start(table, boxes_xyxy[:1], tracks.UNKNOWN_NOISE)
        table["state"], table["seeded"], table["level"] = State.ACTIVE, True, np.nan
        table["seen_s"] = table["detected_s"] = time_s

    def _assign_ids(self) -> None:
        """Gives ids to those who have become people, largest first."""
        known = self._tracks
        new = known.where(State.ACTIVE)
        new = new[known.ids[new] == 0]
        order = np.argsort(-known.xywh[new, 2] * known.xywh[new, 3], kind="stable")
        known.ids[new[order]] = self._next_id + np.arange(len(new))
        self._next_id += len(new)

    # -- the poses ---------------------------------------------------------------------------------

    def observe(self, time_s: float, poses: Poses) -> Poses:
        """Takes in the keypoints found in the boxes of ``update``; moves boxes, mends identities.

        Returns the same poses with identities mended, left and right exchanged back, jumped
        keypoints taken away, and without those of strangers, those that were somebody else's pose
        seen twice, and those that nothing has been sure of yet; who stands behind whoever it was
        has no keypoints.

        Raises
        ------
        ValueError
            When the poses are not of the tracker's skeleton.
        """
        if poses.keypoint_scores.shape[1] != self._keypoints:
            got = len(poses.skeleton.keypoints)
            raise ValueError(f"poses: expected {self._keypoints} keypoints, got {got}")
        known, limbs, whole_frame = self._tracks, self._limbs, self.settings.whole_frame
        rows, found, mixed_up = _kernels.find_rows(known.table, poses.track_ids, time_s)
        if found < len(poses):
            poses, rows = poses.select(rows >= 0), rows[rows >= 0]
        hidden = duplicate = np.zeros(len(poses), dtype=np.bool_)
        if mixed_up:
            counts = poses.keypoint_scores >= _kernels.KEYPOINT_SCORE
            now_xy = np.where(counts[..., None], poses.keypoints_xy, np.nan)
            duplicate = Seen(known, rows, now_xy, time_s, self._sigmas).correct()
            # The pose in the box of whoever has long had one, and is still found by the detector,
            # is that of somebody who stands before: the person stays, without keypoints.
            established = time_s - known.own_s[rows] > _kernels.ESTABLISHED_S
            veiled = duplicate & established & np.isnan(known.missed_s[rows])
            hidden = duplicate & ~veiled
            poses = poses.with_arrays(track_ids=known.ids[rows])
            poses = poses.without_keypoints(veiled[:, None]) if veiled.any() else poses
        places = poses.keypoints_xy, poses.keypoint_scores
        seen = *(np.ascontiguousarray(one, dtype=np.float64) for one in places), duplicate
        swapped, refused, doubtful, changed = _kernels.take_in(
            known.table, known.joints, rows, seen, limbs, time_s, whole_frame
        )
        if not (changed or mixed_up):
            return poses
        if swapped.any():
            poses = poses.swapped(swapped, limbs[0])
        if refused.any():
            poses = poses.without_keypoints(refused)
        hide(known, rows[hidden])
        return poses.select(~(doubtful | hidden))


def _limbs_of(skeleton: Skeleton) -> Limbs:
    """Mirrored pairs (F, 2), and for each keypoint the one before it on a limb (K,), or -1."""
    parents = np.full(len(skeleton.keypoints), -1, dtype=np.int64)
    for limb in skeleton.limbs:
        parents[max(limb)] = max(parents[max(limb)], min(limb))
    return np.array(skeleton.flip_pairs, dtype=np.int64).reshape(-1, 2), parents
