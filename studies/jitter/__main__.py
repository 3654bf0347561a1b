"""``python -m studies.jitter VIDEO | --synthetic``."""

import hashlib
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from livepose.cli import guarded
from livepose.cli.progress import progress_bars
from livepose.errors import DataError, UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation import Progress
from livepose.evaluation.report import markdown_table, write_text
from livepose.pipeline import PosePipeline
from livepose.runtimes import open_runtime
from livepose.skeletons import SKELETONS
from livepose.sources import open_video
from livepose.weights import find_weights, read_card
from livepose.weights.calibration import calibration_of
from studies import count, positive
from studies.jitter import report as text
from studies.jitter.curves import (
    ahead_error_percent,
    by_keypoint,
    curves,
    presets,
    scheduled,
    sweep_length,
)
from studies.jitter.measures import (
    Measures,
    Truth,
    measure_against,
    truth_of,
    unlabelled_truth,
)
from studies.jitter.recording import Recording, record, smooth, watch
from studies.jitter.scenes import Clip, annotated_photographs, make_clips, shipped_photographs

EXAMPLES = """examples:
  python -m studies.jitter --synthetic --plot jitter.png   on packaged photographs
  python -m studies.jitter --synthetic --images val2017.zip --annotations val2017.json
  python -m studies.jitter clip.mp4   on your own clip, without a known truth
"""
LATENCIES_S = (0.03, 0.06, 0.1)
WRISTS = (9, 10)


def main(given: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(
        prog="python -m studies.jitter",
        description="Measures every settings of --smooth.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("video", nargs="?", metavar="VIDEO", help="a clip of your own")
    parser.add_argument("--synthetic", action="store_true", help="photographs, moved as known")
    parser.add_argument("--images", type=Path, metavar="DIR|ZIP", help="photographs, with:")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="in COCO's form")
    parser.add_argument("--skip", type=count, default=0, metavar="N", help="photographs left out")
    parser.add_argument("--clips", type=positive, default=7, metavar="N", help="1 to 8 (default 7)")
    parser.add_argument("--seconds", type=float, default=3.3, metavar="S", help="length of each")
    parser.add_argument("--frames", type=positive, default=300, metavar="N", help="of a VIDEO")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keeps what the network saw")
    parser.add_argument("--weights", default="default", help="a name or a file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="jitter against lag, an image")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the tables, - is stdout")
    return guarded(lambda: run(parser.parse_args(given)))


def run(arguments: Namespace) -> int:
    """Measures and writes the tables."""
    if (arguments.video is None) == (not arguments.synthetic):
        raise UsageError("jitter: expected a VIDEO, or --synthetic, and not both")
    if (arguments.images is None) != (arguments.annotations is None):
        raise UsageError("jitter: --images and --annotations belong together")
    if not 1.0 <= arguments.seconds <= 60.0:
        raise UsageError(f"--seconds: expected 1 to 60, got {arguments.seconds:g}")
    with progress_bars() as progress:
        if arguments.synthetic:
            tables = synthetic(arguments, progress)
        else:
            source = open_video(arguments.video)
            pipeline = PosePipeline(smooth="none", weights=arguments.weights)
            advance = progress(source.name, arguments.frames)
            tables = unlabelled(watch(pipeline, source, arguments.frames, advance))
    write_text(arguments.markdown, tables + "\n")
    if arguments.plot is not None and arguments.synthetic:
        print(f"livepose: wrote {arguments.plot}", file=sys.stderr)
    return 0


def synthetic(settings: Namespace, progress: Progress) -> str:
    """Makes the clips, looks at them, tries every filter; the tables as Markdown."""
    clips = _clips(settings)
    recordings = _recordings(clips, settings, progress)
    truths = [truth_of(one) for one in recordings]
    if not any(one.counted.any() for one in truths):
        raise DataError("no keypoint was seen steadily enough to measure; try other photographs")
    parts = [_seen(recordings, truths), *_tables(recordings, truths, progress, settings.plot)]
    parts += ["### Pose schedule", schedule_table(clips, recordings, truths, progress)]
    return "\n\n".join(parts)


def unlabelled(recording: Recording) -> str:
    """The tables for a video whose truth nobody knows."""
    truths = [unlabelled_truth(recording)]
    rows = presets([recording], truths)
    parts = [_seen([recording], truths), text.table(rows, "filter"), _listed(text.costs(rows))]
    return "\n\n".join(parts)


def _clips(settings: Namespace) -> list[Clip]:
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


def _recordings(clips: Sequence[Clip], settings: Namespace, progress: Progress) -> list[Recording]:
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


def _kept_at(clip: Clip, settings: Namespace) -> Path | None:
    """Another photograph, path, length or network gets another file."""
    if settings.cache is None:
        return None
    photograph = hashlib.sha256(clip.photograph.image_bgr.tobytes()).hexdigest()
    card = read_card(find_weights(settings.weights))
    network = f"{card.sha256} {calibration_of(card)}"
    key = f"{clip.name} {clip.duration_s} {clip.seed} {photograph} {network}"
    folder: Path = settings.cache
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _tables(
    recordings: Sequence[Recording], truths: Sequence[Truth], progress: Progress, path: Path | None
) -> list[str]:
    rows = presets(recordings, truths)
    points = curves(recordings, truths, progress("filters", sweep_length()))
    if path is not None:
        text.plot(points, rows, path)
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
    rows = [
        [
            one.name,
            *map(str, (one.boxes_xyxy.shape[1], truth.counted.sum())),
            *(str((when & truth.counted).sum()) for when in (truth.resting, truth.moving)),
        ]
        for one, truth in zip(recordings, truths, strict=True)
    ]
    return markdown_table(["clip", "people", "keypoints counted", "at rest", "in motion"], rows)


def schedule_table(
    clips: Sequence[Clip],
    recordings: Sequence[Recording],
    truths: Sequence[Truth],
    progress: Progress,
) -> str:
    """What propagation costs: everybody looked at in every image, and by the pose schedule."""
    advance = progress("clips", len(clips))
    always = [smooth(one, "balanced") for one in recordings]
    runs = []
    for clip, recording in zip(clips, recordings, strict=True):
        runs.append(scheduled(clip, recording))
        advance(1)
    share = np.concatenate([looked for _, looked in runs]).mean()
    rows: dict[str, Measures] = {}
    for name, found in (("in every image", always), ("by schedule", [one for one, _ in runs])):
        rows[name] = measure_against(recordings, truths, found)
        for side, joint in zip(("left", "right"), WRISTS, strict=True):
            rows[f"{name}, {side} wrist"] = measure_against(recordings, truths, found, joint)
    return f"{text.table(rows, 'looked at')}\n\nlooked at: {100 * share:.0f} % of people in images"


if __name__ == "__main__":
    sys.exit(main())
