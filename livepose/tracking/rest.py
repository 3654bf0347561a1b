"""When the detector is due."""

from livepose.tracking import _kernels
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Tracks


def rest_s(tracks: Tracks, chosen: TrackerSettings) -> float:
    """How long the detector may rest with these people, in seconds."""
    rests_s = {
        _kernels.UNSURE: 0.0,
        _kernels.CROSSING: chosen.crossing_rest_s,
        _kernels.BUSY: chosen.busy_rest_s,
        _kernels.CALM: chosen.rest_s,
    }
    return rests_s[_kernels.unrest(tracks.table, chosen.crossing_iou, chosen.fast_speed)]


def anybody_faded(tracks: Tracks) -> bool:
    """Whether the keypoints of somebody who is handed out have faded."""
    return bool(_kernels.anybody_faded(tracks.table))
