"""Whether people who are small in the image may go through a smaller input of the network.

``python -m studies.small_people --images ... --annotations ... [--weights FILE]``: AP of both
inputs by the height of the crop in the image, what a crop takes in each, and for each threshold
the AP of all people and the mean time of one, where those below it take the smaller input.
Annotated boxes, DARK. ``--write PX`` notes the threshold in the card of the weights file.
"""

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.cli import guarded
from livepose.cli.evaluate import CocoOutputs
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.crops import CropGeometry
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator, smaller_size
from livepose.evaluation.coco import match
from livepose.evaluation.metrics import coco_results, draws, percentile_interval, sigmas_of
from livepose.evaluation.predict import Predictions, Variant, predict
from livepose.evaluation.report import require_writable, write_text
from livepose.evaluation.run import Set, chosen_estimator, open_set
from livepose.evaluation.settings import CocoSettings, EvaluationSettings, Progress
from livepose.runtimes.verify import probe_crops
from livepose.weights.card import SMALL_PEOPLE, size_of

EDGES_PX = (0, 64, 80, 96, 112, 128, 160, 192, 256, 100_000)
"""Heights of crops in the image, as groups."""
THRESHOLDS_PX = (0, 64, 80, 96, 112, 128, 160, 192, 256, 100_000)
DARK = Variant("dark")
ROUNDS = 9

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Passes:
    """What both inputs say of everybody, and the height of each crop in the image, (P,)."""

    data: Set
    heights_px: NDArray[np.float64]
    usual: Predictions
    smaller: Predictions
    input_hw: tuple[int, int]

    def mixed(self, small: Flags) -> Predictions:
        """What is said where these people take the smaller input."""
        pairs = (
            (self.smaller.keypoints_xy, self.usual.keypoints_xy, small[:, None, None]),
            (self.smaller.keypoint_scores, self.usual.keypoint_scores, small[:, None]),
        )
        return Predictions(*(np.where(which, a, b) for a, b, which in pairs))

    def ap(self, small: Flags, among: Flags | None = None) -> "tuple[float, NDArray[np.float64]]":
        """AP where these take the smaller input, of all people or of some; and resampled."""
        sample, sigmas = self.data.boxes("pixel_centre"), sigmas_of(self.data.skeleton)
        document, found = self.data.dataset.document(), self.mixed(small)
        if among is not None:
            found = Predictions(
                found.keypoints_xy, np.where(among[:, None], found.keypoint_scores, 0.0)
            )
            document = self._only(document, among)
        results = coco_results(sample, found, self.input_hw, sigmas)
        matches = match(document, [one for one in results if one["score"] > 0], sigmas)
        return matches.scores()["ap"], matches.resampled(draws(matches.images))["ap"]

    def _only(self, document: dict[str, Any], among: Flags) -> dict[str, Any]:
        """The annotations of these people; crowds and unlabelled ones stay to be ignored."""
        order = [one for people in self.data.dataset.people_by_image for one in people]
        kept = {id(one) for one, wanted in zip(order, among, strict=True) if wanted}
        known = {id(one) for one in order}
        everybody = zip(self.data.dataset.everybody, document["annotations"], strict=True)
        wanted = [entry for one, entry in everybody if id(one) in kept or id(one) not in known]
        return {**document, "annotations": wanted}


def run_passes(
    settings: EvaluationSettings, usual: PoseEstimator, smaller: PoseEstimator, bars: Progress
) -> Passes:
    """Both networks on everybody."""
    data = open_set(settings, bars)
    sample = data.boxes(usual.runtime.card.alignment)
    found = [
        predict(
            *(one, data.images, sample, [DARK]),
            bars(size_of(one.runtime.card), sum(map(len, sample))),
        )[DARK]
        for one in (usual, smaller)
    ]
    boxes_xyxy = np.concatenate([boxed.boxes_xyxy for boxed in sample])
    card = usual.runtime.card
    heights_px = CropGeometry(card.alignment, card.input_hw).heights_px(boxes_xyxy)
    return Passes(data, heights_px, found[0], found[1], card.input_hw)


def crop_ms(estimators: Sequence[PoseEstimator]) -> list[float]:
    """Milliseconds of the network for one crop in batches of four, in turns."""
    took_ms: list[list[float]] = [[] for _ in estimators]
    for one in estimators:
        one.runtime.warm_up((4,))
    for _ in range(ROUNDS):
        for one, times in zip(estimators, took_ms, strict=True):
            crops = probe_crops(one.runtime.card)
            start_s = time.perf_counter()
            one.runtime(crops)
            times.append(1e3 * (time.perf_counter() - start_s) / len(crops))
    return [median(times) for times in took_ms]


def by_height(passes: Passes, names: Sequence[str]) -> str:
    """AP of both inputs, a row for each group of heights."""
    empty = np.zeros(len(passes.heights_px), bool)
    lines = [
        f"| crop in the image, px | people | AP at {names[0]} | AP at {names[1]} | difference |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for low, high in pairwise(EDGES_PX):
        among = (passes.heights_px >= low) & (passes.heights_px < high)
        if among.sum() < 2:
            continue
        (usual, first), (smaller, second) = (passes.ap(small, among) for small in (empty, ~empty))
        name = f"{low} to {high}" if high < EDGES_PX[-1] else f"from {low} on"
        lines.append(
            f"| {name} | {among.sum()} | {usual:.1f} | {smaller:.1f} | {smaller - usual:+.1f}"
            f" {percentile_interval(second - first)} |"
        )
    return "\n".join(lines)


def by_threshold(passes: Passes, crop_ms: Sequence[float]) -> str:
    """AP of everybody and the mean time of a crop, a row for each threshold."""
    lines = [
        "| smaller input below, px | of all people | AP | difference | ms a crop |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    base, first = passes.ap(np.zeros(len(passes.heights_px), bool))
    for below_px in THRESHOLDS_PX:
        small = passes.heights_px < below_px
        ap, samples = passes.ap(small)
        share = float(small.mean())
        mean_ms = (1 - share) * crop_ms[0] + share * crop_ms[1]
        name = f"{below_px}" if below_px < THRESHOLDS_PX[-1] else "everybody"
        lines.append(
            f"| {name} | {share:.0%} | {ap:.2f} | {ap - base:+.2f}"
            f" {percentile_interval(samples - first)} | {mean_ms:.1f} |"
        )
    return "\n".join(lines)


def write_note(path: Path, below_px: float) -> None:
    """Notes in a weights file who may take the smaller input; its tensors stay."""
    from livepose.weights import load_checkpoint, save_checkpoint

    state, card = load_checkpoint(path)
    kind = max((one.dtype for one in state.values() if one.is_floating_point()), key=str)
    noted = replace(card, notes={**card.notes, SMALL_PEOPLE: f"{below_px:g}"})
    save_checkpoint(path, state, noted, kind)


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.small_people", description=__doc__)
    for kind in (CocoSettings, CocoOutputs):
        add_options(parser, kind)
    parser.set_defaults(boxes="gt")
    parser.add_argument("--write", type=float, metavar="PX", help="note this in --weights FILE")
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def run(arguments: Namespace) -> int:
    """Measures and prints, or notes a threshold."""
    chosen, markdown = options(CocoSettings, arguments), options(CocoOutputs, arguments).markdown
    require_writable([markdown])
    if arguments.write is not None:
        write_note(Path(chosen.weights), arguments.write)
        return 0
    usual = chosen_estimator(chosen)
    input_hw = smaller_size(usual.runtime.card.input_hw)
    if input_hw is None:
        raise UsageError(f"there is no smaller input for {size_of(usual.runtime.card)}")
    smaller = chosen_estimator(replace(chosen, input_hw=input_hw))
    with progress_bars() as bars:
        passes = run_passes(chosen, usual, smaller, bars)
    estimators = usual, smaller
    took_ms = crop_ms(estimators)
    cards = [size_of(one.runtime.card) for one in estimators]
    heading = ", ".join(
        f"{card} {one.runtime.precision} {ms:.1f} ms a crop"
        for card, one, ms in zip(cards, estimators, took_ms, strict=True)
    )
    text = "\n\n".join([heading, by_height(passes, cards), by_threshold(passes, took_ms)])
    print(text)
    if markdown:
        write_text(markdown, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
