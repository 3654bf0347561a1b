"""``livepose calibrate``: the order of things."""

from collections.abc import Sequence

import numpy as np

from livepose.calibration.collect import Sightings, collect, joined
from livepose.calibration.fit import (
    CHOSEN,
    MODELS,
    Fit,
    calibrate,
    crossed,
    drawn_sigma,
    judge,
)
from livepose.calibration.plot import plot
from livepose.calibration.settings import CalibrationSettings
from livepose.errors import SinkError
from livepose.evaluation.model import open_estimator
from livepose.evaluation.settings import Progress
from livepose.weights.calibration import read_calibrations, written

PICTURES_A_SET = 1_000_000


def run_calibration(settings: CalibrationSettings, progress: Progress) -> str:
    """Looks, fits, checks, writes; the tables as Markdown."""
    estimator = open_estimator(settings.weights)
    parts = [
        collect(
            estimator,
            *pair,
            settings.people,
            progress(pair[1].parent.name, settings.people),
            number * PICTURES_A_SET,
        )
        for number, pair in enumerate(settings.data)
    ]
    seen, joints = joined(parts), estimator.runtime.card.keypoints
    sigma = crossed(MODELS[CHOSEN], seen, joints)
    if settings.plot is not None:
        plot(seen, sigma, settings.plot)
    if settings.output is not None:
        _write(settings, seen, joints, estimator.runtime.card.sha256)
    return "\n\n".join([_compared(seen, joints), _conditions(seen, sigma)])


def _write(settings: CalibrationSettings, seen: Sightings, joints: int, sha256: str) -> None:
    """The other weights' calibrations stay."""
    path = settings.output
    if path is None:
        return
    found = calibrate(seen.select(~seen.blurred), joints)
    entries = read_calibrations(path) if path.is_file() else {}
    entries[sha256] = found
    if not settings.only_these or "default" not in entries:
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


def _conditions(seen: Sightings, sigma: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    sharp = ~seen.blurred
    groups: Sequence[tuple[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]] = (
        ("seen", sharp & ~seen.hidden),
        ("hidden (COCO's mark 1)", sharp & seen.hidden),
        ("motion blur", seen.blurred),
        ("score under 0.2", sharp & (seen.score < 0.2)),
        ("score 0.2 to 0.5", sharp & (seen.score >= 0.2) & (seen.score < 0.5)),
        ("score from 0.5 on", sharp & (seen.score >= 0.5)),
    )
    rows = {name: judge(sigma[mask], seen.select(mask)) for name, mask in groups if mask.sum() > 20}
    return table(rows, "condition")


def table(rows: dict[str, Fit], first: str) -> str:
    """One row a model or condition."""
    lines = [
        f"| {first} | keypoints | -log likelihood | rank correlation [95 %]"
        " | in the inner ellipse % | in the outer % |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, one in rows.items():
        lines.append(
            f"| {name} | {one.count} | {one.likelihood:.3f} | {one.rank:.3f}"
            f" [{one.rank_low:.3f}, {one.rank_high:.3f}]"
            f" | {100 * one.within[0]:.0f} | {100 * one.within[1]:.0f} |"
        )
    return "\n".join(lines)
