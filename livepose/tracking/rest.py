"""When the detector is due."""

from livepose.tracking import _kernels
from livepose.tracking.settings import TrackerSettings
from livepose.tracking.tracks import Tracks


def interval_s(tracks: Tracks, chosen: TrackerSettings) -> float:
    """How long the detector may rest with these people, in seconds."""
    rests_s = {
        _kernels.UNSURE: 0.0,
        _kernels.CROSSING: chosen.crossing_interval_s,
        _kernels.BUSY: chosen.busy_interval_s,
        _kernels.CALM: chosen.interval_s,
    }
    return rests_s[_kernels.activity(tracks.table, chosen.crossing_iou, chosen.fast_speed)]


def anybody_fades(tracks: Tracks, time_s: float, chosen: TrackerSettings) -> bool:
    """Whether somebody who is handed out would be out of sight soon without the detector."""
    return bool(_kernels.anybody_fades(tracks.table, time_s, chosen.numbers))
