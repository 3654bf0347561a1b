"""``python -m studies.jitter``: the order of things."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.evaluation.settings import Progress
from livepose.runtimes import open_runtime
from livepose.skeletons import SKELETONS
from livepose.weights import find_weights, read_card
from livepose.weights.calibration import calibration_of
from studies.jitter import report as text
from studies.jitter import schedule
from studies.jitter.curves import (
    ahead_error_percent,
    by_keypoint,
    curves,
    presets,
    sweep_length,
)
from studies.jitter.measures import Truth, truth_of, unlabelled_truth
from studies.jitter.plot import plot
from studies.jitter.recording import Recording, record
from studies.jitter.scenes import (
    Clip,
    annotated_photographs,
    make_clips,
    shipped_photographs,
)

LATENCIES_S = (0.03, 0.06, 0.1)


@dataclass(frozen=True)
class StudySettings:
    """What is measured."""

    images: Path | None = None
    """Folder or ZIP of an annotated set; None takes the photographs of ultralytics."""
    annotations: Path | None = None
    skip: int = 0
    """Photographs of the set that are passed over."""
    clips: int = 7
    seconds: float = 3.3
    cache: Path | None = None
    """Folder in which recordings are kept, so that the network need not look again."""
    weights: str = "default"
    plot: Path | None = None


def synthetic(settings: StudySettings, progress: Progress) -> str:
    """Makes the clips, looks at them, tries every filter; the tables as Markdown."""
    clips = _clips(settings)
    recordings = _recordings(clips, settings, progress)
    truths = [truth_of(one) for one in recordings]
    if not any(one.counted.any() for one in truths):
        raise DataError("no keypoint was seen steadily enough to measure; try other photographs")
    parts = [_seen(recordings, truths), *_tables(recordings, truths, progress, settings.plot)]
    parts += ["### Pose schedule", schedule.table(clips, recordings, truths, progress)]
    return "\n\n".join(parts)


def unlabelled(recording: Recording, settings: StudySettings, progress: Progress) -> str:
    """The tables for a video whose truth nobody knows."""
    truths = [unlabelled_truth(recording)]
    rows = presets([recording], truths)
    parts = [_seen([recording], truths), text.table(rows, "filter"), _listed(text.costs(rows))]
    return "\n\n".join(parts)


def _clips(settings: StudySettings) -> list[Clip]:
    if settings.images is None or settings.annotations is None:
        photographs = shipped_photographs()
    else:
        count = settings.skip + settings.clips
        photographs = annotated_photographs(settings.images, settings.annotations, count)[
            settings.skip :
        ]
        if not photographs:
            raise DataError(f"--skip {settings.skip} passes over every photograph that would do")
    return make_clips(photographs, settings.clips, settings.seconds)


def _recordings(
    clips: Sequence[Clip], settings: StudySettings, progress: Progress
) -> list[Recording]:
    """What the network saw in each clip; from the cache where it was kept."""
    estimator: PoseEstimator | None = None
    rows = []
    for clip in clips:
        path = _kept_at(clip, settings)
        if path is not None and path.is_file():
            rows.append(Recording.load(path))
            continue
        if estimator is None:
            estimator = PoseEstimator(open_runtime(settings.weights))
        rows.append(record(clip, estimator, progress(clip.name, len(clip.times_s))))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            rows[-1].save(path)
    return rows


def _kept_at(clip: Clip, settings: StudySettings) -> Path | None:
    """Another photograph, path, length or network gets another file."""
    if settings.cache is None:
        return None
    photograph = hashlib.sha256(clip.photograph.image_bgr.tobytes()).hexdigest()
    card = read_card(find_weights(settings.weights))
    network = f"{card.sha256} {calibration_of(card)}"
    key = f"{clip.name} {clip.duration_s} {clip.seed} {photograph} {network}"
    return settings.cache / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _tables(
    recordings: Sequence[Recording], truths: Sequence[Truth], progress: Progress, path: Path | None
) -> list[str]:
    rows = presets(recordings, truths)
    points = curves(recordings, truths, progress("filters", sweep_length()))
    if path is not None:
        plot(points, rows, path)
    names = SKELETONS["coco17"].keypoints
    joints = dict(zip(names, by_keypoint(recordings, truths, "balanced"), strict=True))
    raw = dict(zip(names, by_keypoint(recordings, truths, "none"), strict=True))
    ahead = [
        (
            latency_s,
            ahead_error_percent(recordings, truths, latency_s, 0.0),
            ahead_error_percent(recordings, truths, latency_s, latency_s),
        )
        for latency_s in LATENCIES_S
    ]
    return [
        "### By filter",
        text.table(rows, "filter"),
        _listed(text.costs(rows)),
        _listed(text.verdicts(points, rows)),
        "### By keypoint, unsmoothed",
        text.table(raw, "keypoint"),
        "### By keypoint, balanced",
        text.table(joints, "keypoint"),
        "### Shown later than seen",
        text.ahead_table(ahead),
    ]


def _listed(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {one}" for one in sentences)


def _seen(recordings: Sequence[Recording], truths: Sequence[Truth]) -> str:
    lines = [
        "| clip | people | keypoints counted | at rest | in motion |",
        "| --- |" + " ---: |" * 4,
    ]
    for one, truth in zip(recordings, truths, strict=True):
        rest = int((truth.resting & truth.counted).sum())
        motion = int((truth.moving & truth.counted).sum())
        people, counted = one.boxes_xyxy.shape[1], int(truth.counted.sum())
        lines.append(f"| {one.name} | {people} | {counted} | {rest} | {motion} |")
    return "\n".join(lines)
