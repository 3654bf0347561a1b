"""``livepose calibrate``: looks, fits, checks, writes, and says how well it fits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.calibration.collect import Sightings, collect, joined
from livepose.calibration.fit import (
    CHOSEN,
    MODELS,
    SHARES,
    Fit,
    calibrate,
    coverage,
    crossed,
    drawn_sigma,
    is_near,
    judge,
)
from livepose.calibration.settings import CalibrationSettings
from livepose.errors import SinkError
from livepose.evaluation.model import open_estimator
from livepose.evaluation.plots import figure_with, save
from livepose.evaluation.report import markdown_table
from livepose.evaluation.settings import Progress
from livepose.weights.calibration import read_calibrations, written

Floats = NDArray[np.float64]

PICTURES_A_SET = 1_000_000
LEAST_COUNT = 20
BINS = 12
HEADINGS = (
    *("keypoints", "-log likelihood", "rank correlation [95 %]"),
    *("in the inner ellipse %", "in the outer %"),
)


def run_calibration(settings: CalibrationSettings, progress: Progress) -> str:
    """Looks, fits, checks, writes; the tables as Markdown."""
    estimator = open_estimator(settings.weights)
    parts = []
    for number, (images, annotations) in enumerate(settings.data):
        advance = progress(annotations.parent.name, settings.people)
        what = images, annotations, settings.people, advance, number * PICTURES_A_SET
        parts.append(collect(estimator, *what))
    seen, joints = joined(parts), estimator.runtime.card.keypoints
    sigma = crossed(MODELS[CHOSEN], seen, joints)
    if settings.plot is not None:
        plot(seen, sigma, settings.plot)
    if settings.output is not None:
        _write(
            settings.output, not settings.only_these, seen, joints, estimator.runtime.card.sha256
        )
    return "\n\n".join([_compared(seen, joints), _conditions(seen, sigma)])


def _write(path: Path, default: bool, seen: Sightings, joints: int, sha256: str) -> None:
    """The other weights' calibrations stay."""
    found = calibrate(seen.select(~seen.blurred), joints)
    entries = read_calibrations(path) if path.is_file() else {}
    entries[sha256] = found
    if default or "default" not in entries:
        entries["default"] = found
    try:
        path.write_text(written(entries), encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror or error}") from error


def _compared(seen: Sightings, joints: int) -> str:
    sharp = ~seen.blurred
    kept = seen.select(sharp)
    rows = {"shape as it is": judge(drawn_sigma(kept), kept)}
    for name, model in MODELS.items():
        rows[name] = judge(crossed(model, seen, joints)[sharp], kept)
    return table(rows, "sigma predicted from")


def _conditions(seen: Sightings, sigma: Floats) -> str:
    sharp = ~seen.blurred
    groups = {
        "seen": sharp & ~seen.hidden,
        "hidden (COCO's mark 1)": sharp & seen.hidden,
        "motion blur": seen.blurred,
        "score under 0.2": sharp & (seen.score < 0.2),
        "score 0.2 to 0.5": sharp & (seen.score >= 0.2) & (seen.score < 0.5),
        "score from 0.5 on": sharp & (seen.score >= 0.5),
    }
    enough = {name: mask for name, mask in groups.items() if mask.sum() > LEAST_COUNT}
    rows = {name: judge(sigma[mask], seen.select(mask)) for name, mask in enough.items()}
    return table(rows, "condition")


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


def plot(seen: Sightings, sigma: Floats, path: Path) -> None:
    """How much of the errors one and two sigma hold, by predicted sigma. Left: the heatmap's shape
    as it is; right: calibrated.
    """
    figure, panels = figure_with(2)
    groups = {
        "seen": ~seen.blurred & ~seen.hidden,
        "hidden": ~seen.blurred & seen.hidden,
        "blurred": seen.blurred,
        "score under 0.2": ~seen.blurred & (seen.score < 0.2),
    }
    titles = ("the heatmap's shape alone", "shape and score, cross-validated")
    for axes, predicted, title in zip(panels, (drawn_sigma(seen), sigma), titles, strict=True):
        for number, (name, mask) in enumerate(groups.items()):
            if (mask & is_near(seen)).any():
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
    near = is_near(seen)
    sigma, seen = sigma[near], seen.select(near)
    parts = np.array_split(np.argsort(sigma), min(BINS, max(1, len(sigma) // 20)))
    shares = [coverage(sigma[part], seen.select(part)) for part in parts]
    one, two = np.array(shares).T
    return np.array([sigma[part].mean() for part in parts]), one, two
