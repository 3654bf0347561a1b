"""Who gets an id, and who of many is handed out."""

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.tracking import _kernels
from livepose.tracking.tracks import Floats, Tracks


def name(tracks: Tracks, next_id: int) -> int:
    """Gives ids to those who have become people, largest first; the id that is next then."""
    return _kernels.name(tracks.table, next_id)


def choose(tracks: Tracks, max_people: int | None) -> None:
    """Marks those who are handed out: all, or the ``max_people`` largest and surest."""
    _kernels.choose(tracks.table, len(tracks) if max_people is None else max_people)


def handed_out(tracks: Tracks) -> tuple[Boxes, NDArray[np.int64], Floats]:
    """Boxes (N, 4), ids (N,) and scores (N,) of those who were chosen, by id."""
    most = len(tracks)
    boxes_xyxy, ids, scores = np.empty((most, 4)), np.empty(most, dtype=np.int64), np.empty(most)
    count = _kernels.hand_out(tracks.table, boxes_xyxy, ids, scores)
    return boxes_xyxy[:count], ids[:count], scores[:count]
