"""Who gets an id, and who of many is handed out."""

import numpy as np

from livepose.tracking.tracks import State, Tracks

STAY_BONUS = 1.3
"""Of two people of like size and score, the one handed out before stays."""


def name(tracks: Tracks, next_id: int) -> int:
    """Gives ids to those who have become people, largest first; the id that is next then."""
    rows = tracks.where(State.ACTIVE)
    rows = rows[tracks.ids[rows] == 0]
    if not len(rows):
        return next_id
    rows = rows[np.argsort(-tracks.xywh[rows, 2] * tracks.xywh[rows, 3], kind="stable")]
    tracks.ids[rows] = np.arange(next_id, next_id + len(rows))
    return next_id + len(rows)


def choose(tracks: Tracks, max_people: int | None) -> None:
    """Marks those who are handed out: all, or the ``max_people`` largest and surest."""
    if max_people is None:
        tracks.chosen = tracks.state == int(State.ACTIVE)
        return
    rows = tracks.where(State.ACTIVE)
    weight = tracks.scores[rows] * np.sqrt(tracks.xywh[rows, 2] * tracks.xywh[rows, 3])
    weight *= np.where(tracks.chosen[rows], STAY_BONUS, 1.0)
    tracks.chosen[:] = False
    tracks.chosen[rows[np.argsort(-weight, kind="stable")[:max_people]]] = True
