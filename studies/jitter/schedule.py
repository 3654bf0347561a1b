"""What propagation costs: everybody looked at in every picture, and by the pose schedule."""

from collections.abc import Sequence

import numpy as np

from livepose.budget import PoseSchedule
from livepose.evaluation.settings import Progress
from livepose.smoothing import Smoother
from livepose.tracking import Tracked
from studies.jitter import report as text
from studies.jitter.measures import Measures, Truth, measure_against
from studies.jitter.recording import Recording
from studies.jitter.scenes import Clip
from studies.jitter.trials import Floats, smooth

WRISTS = (9, 10)


def table(
    clips: Sequence[Clip],
    recordings: Sequence[Recording],
    truths: Sequence[Truth],
    progress: Progress,
) -> str:
    """The Markdown table, for all keypoints and for the wrists."""
    advance = progress("clips", len(clips))
    always = [smooth(one, "balanced") for one in recordings]
    runs = []
    for clip, recording in zip(clips, recordings, strict=True):
        runs.append(scheduled(clip, recording))
        advance(1)
    share = np.concatenate([looked for _, looked in runs]).mean()
    rows: dict[str, Measures] = {}
    for name, found in (("in every picture", always), ("by schedule", [one for one, _ in runs])):
        rows[name] = measure_against(recordings, truths, found)
        for side, joint in zip(("left", "right"), WRISTS, strict=True):
            rows[f"{name}, {side} wrist"] = measure_against(recordings, truths, found, joint)
    return (
        f"{text.table(rows, 'looked at')}\n\nlooked at: {100 * share:.0f} % of people in pictures"
    )


def scheduled(clip: Clip, recording: Recording) -> tuple[Floats, Floats]:
    """Keypoints (T, P, K, 2) of a recording by the schedule, and who was looked at (N,)."""
    smoother = Smoother("balanced")
    schedule = PoseSchedule(smoother)
    found, looked = np.full_like(recording.keypoints_xy, np.nan), []
    for index, (time_s, image_bgr) in enumerate(zip(recording.times_s, clip, strict=True)):
        _, poses = recording.poses_at(index)
        tracked = Tracked(poses.boxes_xyxy, poses.track_ids, poses.scores)
        due = schedule.due(float(time_s), tracked, image_bgr)
        schedule.looked_at(float(time_s), poses.select(due))
        smoothed = smoother.apply(float(time_s), poses.select(due))
        punctual = np.zeros(np.count_nonzero(~due), dtype=bool)
        everybody = schedule.propagate(float(time_s), smoothed, poses.select(~due), punctual)
        found[index, everybody.track_ids - 1] = everybody.keypoints_xy
        looked.append(due)
    return found, np.concatenate(looked).astype(float)
