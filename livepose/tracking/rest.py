"""When the detector is due."""

import numpy as np

from livepose import boxes
from livepose.tracking.motion import scale_px, to_xyxy
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import State, Tracks


def rest_s(tracks: Tracks, chosen: TrackerSettings) -> float:
    """How long the detector may rest with these people, in seconds."""
    active = tracks.where(State.ACTIVE, State.HIDDEN)
    unsure = len(tracks.where(State.TENTATIVE)) > 0
    if unsure or not len(active) or anybody_faded(tracks):
        return 0.0
    places = to_xyxy(tracks.xywh[active])
    # Each box meets itself; more meetings than that are of two people.
    if (boxes.iou(places, places) > chosen.crossing_iou).sum() > len(active):
        return chosen.crossing_rest_s
    if len(tracks.where(State.LOST)) or _fastest(tracks) > chosen.fast_speed:
        return chosen.busy_rest_s
    return chosen.rest_s


def anybody_faded(tracks: Tracks) -> bool:
    """Whether the keypoints of somebody who is handed out have faded."""
    return bool((tracks.faded & (tracks.state == int(State.ACTIVE))).any())


def _fastest(tracks: Tracks) -> float:
    """Greatest speed of anybody, body scales a second."""
    active = tracks.where(State.ACTIVE)
    speed = np.hypot(tracks.velocity[active, 0], tracks.velocity[active, 1])
    return float(np.max(speed / scale_px(tracks.xywh[active]), initial=0.0))
