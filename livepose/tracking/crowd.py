"""Who gets an id, and who of many is handed out."""

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.tracking import _kernels
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Floats, Tracks

Handed = tuple[Boxes, NDArray[np.int64], Floats]
"""Boxes (N, 4), ids (N,) and scores (N,), by id."""


def assign_ids(tracks: Tracks, next_id: int) -> int:
    """Gives ids to those who have become people, largest first; the id that is next then."""
    return int(_kernels.assign_ids(tracks.table, next_id))


def select_outputs(tracks: Tracks, time_s: float, chosen: TrackerSettings) -> Handed:
    """Chooses who is handed out: all, or ``max_people``, those of before first."""
    boxes_xyxy, ids, scores = _room(len(tracks))
    most = len(tracks) if chosen.max_people is None else chosen.max_people
    hold_s = chosen.established_s
    count = _kernels.select_outputs(tracks.table, most, time_s, hold_s, boxes_xyxy, ids, scores)
    return boxes_xyxy[:count], ids[:count], scores[:count]


def selected_before(tracks: Tracks) -> Handed:
    """Those who were chosen last."""
    boxes_xyxy, ids, scores = _room(len(tracks))
    count = _kernels.write_outputs(tracks.table, boxes_xyxy, ids, scores)
    return boxes_xyxy[:count], ids[:count], scores[:count]


def _room(people: int) -> Handed:
    return np.empty((people, 4)), np.empty(people, dtype=np.int64), np.empty(people)
