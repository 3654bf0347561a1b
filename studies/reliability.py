"""Is the uncertainty true? Predicted sigma against real errors, by condition, as tables and a plot.

    python -m studies.reliability --data IMAGES:ANNOTATIONS [--plot reliability.png]

Every prediction comes from a fit on the other half of the images, sharp ones alone. Conditions:
keypoints that are seen or hidden, blurred crops, and the height of the peak.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from livepose.calibration import CalibrationSettings
from livepose.calibration.uncertainty import (
    LOST,
    SHARES,
    Crops,
    Sightings,
    collect_all,
    coverage,
    crossed,
    joined,
)
from livepose.cli import guarded
from livepose.cli.options import add_options, options
from livepose.cli.progress import progress_bars
from livepose.estimator import PoseEstimator
from livepose.evaluation.report import figure_with, markdown_table, save, write_text
from livepose.runtimes import open_runtime

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLUR_PX = 13
"""Width of the motion blur, in pixels of the network's input."""
LEAST_COUNT = 20
BINS = 12
DRAWS, SEED = 500, 20230814
HEADINGS = (
    *("keypoints", "-log likelihood", "rank correlation [95 %]"),
    *("in the inner ellipse %", "in the outer %"),
)


@dataclass(frozen=True)
class Fit:
    """How well predicted errors fit real ones.

    ``likelihood``: mean negative log-likelihood of a keypoint in nats, lower is better. ``rank``:
    Spearman's correlation of predicted sigma and real distance, with its 95 % bootstrap interval
    over images. ``within``: shares of what is not lost within the drawn ellipses; ``SHARES`` is
    right.
    """

    likelihood: float
    rank: float
    rank_low: float
    rank_high: float
    within: tuple[float, float]
    count: int


def judge(sigma: Floats, seen: Sightings, draws: int = DRAWS) -> Fit:
    """Predictions (N,) against what happened; errors are capped where a keypoint is lost."""
    distance = np.minimum(seen.distance, LOST * seen.reach)
    scaled = np.square(distance) / 2 / sigma**2
    random, images = np.random.default_rng(SEED), np.unique(seen.image)
    rows, ranks = [np.flatnonzero(seen.image == one) for one in images], []
    for _ in range(draws):
        chosen = np.concatenate([rows[i] for i in random.integers(0, len(rows), len(rows))])
        ranks.append(float(spearmanr(sigma[chosen], distance[chosen]).statistic))
    low, high = np.percentile(ranks, [2.5, 97.5])
    return Fit(
        likelihood=float(np.mean(scaled + 2 * np.log(sigma))),
        rank=float(spearmanr(sigma, distance).statistic),
        rank_low=float(low),
        rank_high=float(high),
        within=coverage(sigma, seen),
        count=len(sigma),
    )


def by_shape(seen: Sightings) -> Floats:
    """What the heatmap's shape alone says, (N,); its median where it says nothing."""
    sigma = seen.drawn_sigma
    return np.where(np.isfinite(sigma), sigma, np.nanmedian(sigma))


def conditions(seen: Sightings, blurred: Mask) -> dict[str, Mask]:
    """Who belongs to which row."""
    sharp, score = ~blurred, seen.score
    return {
        "seen": sharp & ~seen.hidden,
        "hidden (COCO's mark 1)": sharp & seen.hidden,
        "motion blur": blurred,
        "score under 0.2": sharp & (score < 0.2),
        "score 0.2 to 0.5": sharp & (score >= 0.2) & (score < 0.5),
        "score from 0.5 on": sharp & (score >= 0.5),
    }


def table(rows: Mapping[str, Fit], first: str) -> str:
    """One row a model or condition."""
    cells = [
        (
            *(name, str(one.count), f"{one.likelihood:.3f}"),
            f"{one.rank:.3f} [{one.rank_low:.3f}, {one.rank_high:.3f}]",
            *(f"{100 * share:.0f}" for share in one.within),
        )
        for name, one in rows.items()
    ]
    return markdown_table([first, *HEADINGS], cells)


def plot(seen: Sightings, sigma: Floats, groups: Mapping[str, Mask], path: Path) -> None:
    """How much of the errors one and two sigma hold, by predicted sigma. Left: the heatmap's shape
    as it is; right: calibrated.
    """
    figure, panels = figure_with(2)
    titles = ("the heatmap's shape alone", "shape and score, cross-validated")
    for axes, predicted, title in zip(panels, (by_shape(seen), sigma), titles, strict=True):
        for number, (name, mask) in enumerate(groups.items()):
            if (mask & seen.near).any():
                at, one, two = binned(predicted[mask], seen.select(mask))
                axes.plot(at, one, marker=".", color=f"C{number}", label=name)
                axes.plot(at, two, marker=".", color=f"C{number}", linestyle="--")
        for share in SHARES:
            axes.axhline(share, color="grey", linestyle=":")
        axes.set(xscale="log", ylim=(0, 1), xlabel="predicted sigma, heatmap px")
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share within the inner and (dashed) outer ellipse")
    panels[0].legend(fontsize=7)
    save(figure, path)


def binned(sigma: Floats, seen: Sightings) -> tuple[Floats, Floats, Floats]:
    """Mean predicted sigma, and the shares within one and two, in bins of equal size."""
    sigma, seen = sigma[seen.near], seen.select(seen.near)
    parts = np.array_split(np.argsort(sigma), min(BINS, max(1, len(sigma) // 20)))
    one, two = np.array([coverage(sigma[part], seen.select(part)) for part in parts]).T
    return np.array([sigma[part].mean() for part in parts]), one, two


def blur(crops: Crops) -> Crops:
    """As if people moved sideways."""
    return np.stack([cv2.blur(crop, (BLUR_PX, 1)) for crop in crops]).astype(np.uint8)


def measure(settings: CalibrationSettings, plot_file: Path | None) -> str:
    """Looks at sharp and at blurred crops, fits, and says how well it fits."""
    estimator = PoseEstimator(open_runtime(settings.weights))
    with progress_bars() as progress:
        sharp = collect_all(estimator, settings, progress)
        soft = collect_all(estimator, settings, progress, blur)
    seen = joined([sharp, soft])
    blurred = np.arange(len(seen.joint)) >= len(sharp.joint)
    sigma = crossed(seen, estimator.runtime.card.keypoints, fit_on=~blurred)
    groups = conditions(seen, blurred)
    if plot_file is not None:
        drawn = ("seen", "hidden (COCO's mark 1)", "motion blur", "score under 0.2")
        plot(seen, sigma, {name: groups[name] for name in drawn}, plot_file)
    models = {
        "shape as it is": judge(by_shape(sharp), sharp),
        "shape and score": judge(sigma[~blurred], sharp),
    }
    enough = {name: mask for name, mask in groups.items() if mask.sum() > LEAST_COUNT}
    rows = {name: judge(sigma[mask], seen.select(mask)) for name, mask in enough.items()}
    return "\n\n".join([table(models, "sigma predicted from"), table(rows, "condition")])


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.reliability", description=__doc__)
    add_options(parser, CalibrationSettings)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="the reliability plot")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the tables, - is stdout")
    arguments = parser.parse_args(words)
    return guarded(lambda: run(arguments))


def run(arguments: Namespace) -> int:
    """Measures and writes."""
    write_text(arguments.markdown, measure(options(CalibrationSettings, arguments), arguments.plot))
    return 0


if __name__ == "__main__":
    sys.exit(main())
