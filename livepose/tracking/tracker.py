"""The tracker: the order of things for each picture."""

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
from livepose.tracking import _box_kernels, _kernels, associate
from livepose.tracking.identity import UNKNOWN_SIGMA, take_in
from livepose.tracking.reid import ReIdentification, learn_histograms
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Floats, Mask, State, Tracks


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
    """What a detector says of one picture: ``boxes_xyxy`` (N, 4), ``scores`` (N,), 0 to 1."""

    @property
    def boxes_xyxy(self) -> Boxes: ...  # noqa: D102
    @property
    def scores(self) -> Floats: ...  # noqa: D102


class Tracker:
    """Follows people through the pictures of one stream.

    For each picture: ask ``needs_detection``; ``update`` with the detections, or None while the
    detector rests; estimate poses in the boxes that it returns; ``observe`` those poses, and go on
    with the poses that ``observe`` returns. Times are seconds and may be irregular; 0.0 is a time.
    When time runs backwards everybody is forgotten. Ids count from 1 for each tracker, and again
    from 1 after ``reset``.

    Parameters
    ----------
    settings : TrackerSettings, optional
        Thresholds.
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
        keypoints = len(COCO17.keypoints) if self._given_sigmas is None else len(self._given_sigmas)
        self._tracks = Tracks.born(np.empty((0, 4)), np.empty(0), 0.0, 0.0, keypoints)
        self._next_id = 1
        self._time_s: float | None = None
        self._pictures_since_look = 0
        self._coast_s = self.settings.coast_s
        self.begin_shot()

    def begin_shot(self) -> None:
        """The next picture shows something else: everybody in it is new, and ids go on counting.

        Colours of clothes alone do not say who is who in another light, before another camera.
        """
        self._tracks = self._tracks.select(np.zeros(len(self._tracks), dtype=bool))
        self._reid = ReIdentification()
        self._first_look_s: float | None = None
        self._last_look_s: float | None = None

    # -- the questions ---------------------------------------------------------------------------

    def needs_detection(self, time_s: float) -> bool:
        """Whether the detector should look at the picture at ``time_s``."""
        chosen = self.settings
        if self._last_look_s is None or self._first_look_s is None or time_s < self._last_look_s:
            return True
        table = self._tracks.table
        if _kernels.anybody_fades(table, time_s, chosen.numbers):
            return True
        if chosen.whole_frame:
            return not len(self._tracks.where(State.ACTIVE))
        if chosen.detect_every is not None:
            return self._pictures_since_look + 1 >= chosen.detect_every
        if time_s - self._first_look_s < chosen.settle_s:
            return True
        return bool(time_s - self._last_look_s >= _kernels.interval_s(table, chosen.numbers))

    def predict(self, time_s: float) -> Tracked:
        """Where everybody should be at ``time_s``; changes nothing."""
        dt_s = max(0.0, time_s - self._time_s) if self._time_s is not None else 0.0
        later = self._tracks.table.copy()
        _kernels.advance(later, time_s, dt_s, self.settings.acceleration, np.inf)
        return Tracked(*_kernels.handed_out(later))

    # -- the way of a picture --------------------------------------------------------------------

    def update(
        self, time_s: float, detections: Found | None, image_bgr: ImageBgr | None = None
    ) -> Tracked:
        """The people in the picture at ``time_s``, by id; their boxes are to be looked at.

        ``detections`` is None while the detector rests, and empty when it found nobody. Boxes
        that are NaN or empty are left out. With the picture, uint8 (H, W, 3), people who left are
        known again by their colours when they come back.

        Raises
        ------
        ValueError
            When the time is not finite.
        """
        if not math.isfinite(time_s):
            raise ValueError(f"time_s: expected finite seconds, got {time_s}")
        self._advance(time_s)
        self._pictures_since_look += 1
        if detections is not None:
            self._look(time_s, detections)
        _kernels.coast(self._tracks.table, time_s, self._coast_s)
        if image_bgr is not None and detections is not None:
            learn_histograms(self._tracks, image_bgr, time_s)
        self._next_id = int(_kernels.assign_ids(self._tracks.table, self._next_id))
        if detections is not None:
            self._reid.recognise(self._tracks, time_s, self.settings)
        most, hold_s = self.settings.max_people or len(self._tracks), self.settings.established_s
        return Tracked(*_kernels.select_outputs(self._tracks.table, most, time_s, hold_s))

    def observe(self, time_s: float, poses: Poses) -> Poses:
        """Takes in the keypoints found in the boxes of ``update``; moves boxes, mends identities.

        Returns the same poses with identities mended, left and right exchanged back, jumped
        keypoints taken away, and without those that were somebody else's pose seen twice or that
        nothing has been sure of yet; who stands behind whoever it was has no keypoints. Poses of
        unknown ids pass untouched, first.
        """
        rows = np.empty(len(poses), dtype=np.int64)
        count, mixed_up = _kernels.find_rows(self._tracks.table, poses.track_ids, time_s, rows)
        if not count:
            return poses
        if count == len(poses):
            return self._take_in(time_s, poses, rows, mixed_up)
        found = rows >= 0
        seen = self._take_in(time_s, poses.select(found), rows[found], mixed_up)
        return poses.select(~found).joined(seen)

    def _take_in(
        self, time_s: float, poses: Poses, rows: NDArray[np.int64], mixed_up: bool
    ) -> Poses:
        """Poses (N) on the tracks ``rows``, mended, without those that are another's."""
        sigmas = self._sigmas(poses.keypoint_scores.shape[1])
        return take_in(self._tracks, rows, poses, time_s, sigmas, self.settings, mixed_up)

    def _sigmas(self, keypoints: int) -> Floats:
        """OKS sigmas of so many keypoints; makes room for them in the tracks."""
        if self._tracks.joints.shape[1] != keypoints:
            self._tracks = self._tracks.with_keypoints(keypoints)
        if self._given_sigmas is not None and len(self._given_sigmas) == keypoints:
            return self._given_sigmas
        return np.full(keypoints, UNKNOWN_SIGMA)

    # -- update ----------------------------------------------------------------------------------

    def _advance(self, time_s: float) -> None:
        """Moves everybody to ``time_s``; who was not seen for too long dies."""
        if self._time_s is not None and time_s < self._time_s:
            self.begin_shot()
        chosen = self.settings
        dt_s = 0.0 if self._time_s is None else max(0.0, time_s - self._time_s)
        # Who was seen in the picture before has not been missed yet, however long ago that is.
        self._coast_s = max(chosen.coast_s, dt_s)
        lost_s = max(chosen.lost_s, dt_s if dt_s <= chosen.stall_s else 0.0)
        if _kernels.advance(self._tracks.table, time_s, dt_s, chosen.acceleration, lost_s):
            dead = ~(time_s - self._tracks.seen_s <= lost_s)
            self._reid.part_from(self._tracks, dead)
            self._tracks = self._tracks.select(~dead)
        if self._reid.gone:
            self._reid.forget(time_s, chosen)
        self._time_s = time_s

    def _look(self, time_s: float, detections: Found) -> None:
        """The detector has looked."""
        boxes_xyxy = np.asarray(detections.boxes_xyxy, dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(detections.scores, dtype=np.float64).reshape(-1)
        usable = associate.usable(boxes_xyxy, scores)
        boxes_xyxy, scores = boxes_xyxy[usable], scores[usable]
        if self.settings.whole_frame:
            self._seed(time_s, boxes_xyxy[:1], scores[:1])
        else:
            self._meet(time_s, boxes_xyxy, scores)
        self._first_look_s = time_s if self._first_look_s is None else self._first_look_s
        self._last_look_s = time_s
        self._pictures_since_look = 0

    def _meet(self, time_s: float, boxes_xyxy: Boxes, scores: Floats) -> None:
        chosen, first = self.settings, self._first_look_s is None
        owner = associate.match(self._tracks, boxes_xyxy, scores, chosen)
        met, free = owner >= 0, owner < 0
        missing = self._tracks.state != int(State.LOST)
        missing[owner[met]] = False
        missed = np.flatnonzero(missing)
        associate.absorb(self._tracks, owner[met], boxes_xyxy[met], scores[met], time_s, chosen)
        self._tracks = associate.lose(self._tracks, missed, time_s, self._coast_s, chosen)
        boxes_xyxy, scores = boxes_xyxy[free], scores[free]
        taken, sure = associate.newborn(self._tracks, boxes_xyxy, scores, first, chosen)
        self._start_tracks(time_s, boxes_xyxy[taken], scores[taken], sure)

    def _start_tracks(self, time_s: float, boxes_xyxy: Boxes, scores: Floats, sure: Mask) -> None:
        if not len(boxes_xyxy):
            return
        chosen, keypoints = self.settings, self._tracks.joints.shape[1]
        born = Tracks.born(boxes_xyxy, scores, time_s, chosen.box_noise, keypoints)
        born.state[sure] = State.ACTIVE
        associate.prove(born, np.flatnonzero(scores >= chosen.sure_score), time_s, chosen)
        self._tracks = self._tracks.joined(born)

    def _seed(self, time_s: float, boxes_xyxy: Boxes, scores: Floats) -> None:
        """Without a detector: the whole picture is the person, unless keypoints know better."""
        tracks = self._tracks
        if not len(boxes_xyxy):
            return
        if not len(tracks):
            self._start_tracks(time_s, boxes_xyxy, scores, np.ones(1, dtype=bool))
            self._tracks.seeded[:] = True
        elif tracks.faded[0] or tracks.state[0] == State.LOST:
            _box_kernels.start_all(tracks.table[:1], boxes_xyxy, self.settings.box_noise)
            tracks.state[0], tracks.seeded[0] = State.ACTIVE, True
            tracks.seen_s[0] = tracks.detected_s[0] = time_s
            tracks.level[0] = np.nan
