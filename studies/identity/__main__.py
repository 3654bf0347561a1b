"""``python -m studies.identity scenes | interval``."""

import logging
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from livepose.cli import guarded
from livepose.cli.progress import progress_bars
from livepose.errors import DataError, SinkError, UsageError
from livepose.evaluation.dataset import open_people
from livepose.evaluation.report import as_json, figure_with, save, write_text
from livepose.pipeline import PosePipeline, Settings
from studies import positive
from studies.identity import interval
from studies.identity.comparison import LEAST_SCORE, compare, made_material, seen_material
from studies.identity.foreground import ForegroundCrop, foreground_crops
from studies.identity.scenes import Scene
from studies.identity.scoring import Row, Run, document, markdown, summarised
from studies.identity.trajectories import KINDS

logger = logging.getLogger(f"livepose.{__name__}")

CAST, LEAST_CAST = 24, 6
"""So many people at most, and at least, are cut out; scenes draw from them."""
SHEET_COLUMNS = 4
EXAMPLES = """examples:
  python -m studies.identity scenes --images val2017.zip --annotations val2017.json
  python -m studies.identity scenes --images ... --annotations ... --detector yolo11n --markdown -
  python -m studies.identity interval walk.mp4 --intervals 1,4,16,adaptive --plot interval.png
"""


def main(given: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(
        prog="python -m studies.identity",
        description="Measures how well people keep their ids.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="scenes | interval")
    scenes = parts.add_parser("scenes", help="made scenes of real people, against ByteTrack")
    scenes.add_argument("--images", type=Path, required=True, metavar="DIR|ZIP")
    scenes.add_argument("--annotations", type=Path, required=True, metavar="FILE")
    scenes.add_argument("--kinds", default=",".join(KINDS), metavar="NAME,...", help="default: all")
    scenes.add_argument("--seeds", type=positive, default=4, metavar="N", help="scenes a kind")
    scenes.add_argument("--json", metavar="FILE", help="every scene's figures, - is stdout")
    scenes.add_argument("--sheet", type=Path, metavar="PNG", help="only shows the scenes")
    clips = parts.add_parser("interval", help="what rarer detection costs, on clips")
    clips.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    clips.add_argument("--frames", type=positive, metavar="N", help="of each clip, at most")
    for one, detector, often in (
        (scenes, "noise", (1, None)),
        (clips, "auto", (1, 2, 4, 8, 16, None)),
    ):
        one.add_argument(
            "--detector", default=detector,
            help="auto, a name or a file; for scenes noise: a model of both networks",
        )  # fmt: skip
        one.add_argument("--weights", default="default", help="pose weights: a name or a file")
        one.add_argument(
            "--intervals", type=intervals, default=often, metavar="N,...,adaptive",
            help="frames from one detection to the next",
        )  # fmt: skip
        one.add_argument("--markdown", metavar="FILE", help="the table, - is stdout")
        one.add_argument("--plot", type=Path, metavar="FILE", help="PNG, SVG or PDF")
    commands = {"scenes": run_scenes, "interval": run_interval}

    def run() -> int:
        options = parser.parse_args(given)
        return commands[options.part](options)

    return guarded(run)


def intervals(text: str) -> tuple[int | None, ...]:
    """``1,4,adaptive``."""
    words = text.split(",")
    wrong = [word for word in words if word != "adaptive" and not (word.isdigit() and int(word))]
    if wrong:
        raise ArgumentTypeError(f"expected numbers or adaptive, such as 1,4,adaptive; got {text!r}")
    return tuple(None if word == "adaptive" else int(word) for word in words)


def run_interval(options: Namespace) -> int:
    """Plays the clips, and writes what was asked for."""
    settings = Settings(weights=options.weights, detector=options.detector)
    rows = interval.measure(options.clips, options.intervals, settings, options.frames)
    if options.markdown:
        write_text(options.markdown, interval.markdown(rows))
    if options.plot:
        interval.plot(rows, options.plot)
    return 0


def run_scenes(options: Namespace) -> int:
    """Casts people, makes scenes, lets trackers run, sums up, and writes what was asked for."""
    kinds = options.kinds.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(f"--kinds: expected some of {', '.join(KINDS)}, got {unknown[0]!r}")
    people = cast(options.images, options.annotations)
    if options.sheet:
        save_sheet(kinds, people, options.sheet)
        return 0
    with progress_bars() as progress:
        runs = all_runs(options, kinds, people, progress("scenes", len(kinds) * options.seeds))
    rows = summarised(runs)
    for line in markdown(rows).splitlines():
        logger.info(line)
    if options.markdown:
        write_text(options.markdown, markdown(rows))
    if options.json:
        write_text(options.json, as_json(document(rows, runs)))
    if options.plot:
        plot(rows, options.plot)
    return 0


def cast(images: Path, annotations: Path) -> list[ForegroundCrop]:
    """People for the scenes; DataError when too few stand whole and alone."""
    dataset, archive = open_people(images, annotations)
    with archive as all_images:
        found = list(islice(foreground_crops(dataset, all_images), CAST))
    if len(found) < LEAST_CAST:
        raise DataError(
            f"{annotations}: expected at least {LEAST_CAST} people who stand whole and "
            f"alone in their image, got {len(found)}; give a larger set"
        )
    return found


def all_runs(
    options: Namespace,
    kinds: Sequence[str],
    people: Sequence[ForegroundCrop],
    advance: Callable[[int], None],
) -> list[Run]:
    """Every tracker on every kind with every seed; ``advance`` is told each scene that is over."""
    material = made_material
    if options.detector != "noise":
        pipeline = PosePipeline(
            Settings(
                weights=options.weights, detector=options.detector, detector_threshold=LEAST_SCORE
            )
        )
        material = lambda scene: seen_material(scene, pipeline)  # noqa: E731
    runs: list[Run] = []
    for kind in kinds:
        for seed in range(options.seeds):
            runs += compare(material(Scene.drawn(kind, seed, people)), options.intervals)
            advance(1)
    return runs


def save_sheet(kinds: Sequence[str], people: Sequence[ForegroundCrop], path: Path) -> None:
    """One row a kind: what the made scenes look like; SinkError when it cannot be written."""
    rows = []
    for kind in kinds:
        scene = Scene.drawn(kind, 0, people)
        moments = np.linspace(0.15, 0.75, SHEET_COLUMNS) * scene.frame_count
        rows.append(np.hstack([cv2.resize(scene.image(int(m)), (320, 180)) for m in moments]))
    if not cv2.imwrite(str(path), np.vstack(rows)):
        raise SinkError(f"{path} cannot be written as an image")


def plot(rows: Sequence[Row], path: Path) -> None:
    """IDF1 with its interval, and MOTA, against the part of frames with detection."""
    figure, panels = figure_with(2)
    own = [row for row in rows if row.tracker.startswith("livepose, every")]
    own = sorted((row for row in own if "alone" not in row.tracker), key=lambda row: row.detected)
    others = [row for row in rows if row not in own and "truth" not in row.tracker]
    near = {"xytext": (-4, 6), "textcoords": "offset points", "fontsize": 7}
    for panel, name in zip(panels, ("idf1", "mota"), strict=True):
        panel.plot([row.detected for row in own], [getattr(row, name) for row in own], "o-")
        for row in own:
            every = row.tracker.removeprefix("livepose, every ")
            panel.annotate(every, (row.detected, getattr(row, name)), **near)
        for row in others:
            panel.plot(row.detected, getattr(row, name), "*", ms=11, label=row.tracker)
        panel.set_xlabel("part of frames with detection, by interval")
        panel.set_title(f"{name.upper()}, %")
    for row in own:
        panels[0].vlines(row.detected, row.idf1_interval.low, row.idf1_interval.high, alpha=0.3)
    panels[1].legend(fontsize=7, loc="lower right")
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
