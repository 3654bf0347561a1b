"""``livepose calibrate``: looks, fits, checks, writes, and says how well it fits."""

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from livepose.calibration.fit import (
    SHARES,
    Fit,
    Sightings,
    calibrate,
    coverage,
    crossed,
    drawn_sigma,
    is_near,
    joined,
    judge,
)
from livepose.calibration.settings import CalibrationSettings
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from livepose.evaluation.predict import annotated_boxes
from livepose.evaluation.report import figure_with, markdown_table, save, write_text
from livepose.evaluation.settings import Progress
from livepose.heatmaps import decode
from livepose.runtimes import open_runtime
from livepose.weights.calibration import read_calibrations, written

Floats = NDArray[np.float64]

HIDDEN = 1
"""COCO's mark of a keypoint that is labelled and cannot be seen."""
BLUR_PX = 13
"""Width of the motion blur, in pixels of the network's input."""
PEOPLE_AT_ONCE = 16
PICTURES_A_SET = 1_000_000
LEAST_COUNT = 20
BINS = 12
HEADINGS = (
    *("keypoints", "-log likelihood", "rank correlation [95 %]"),
    *("in the inner ellipse %", "in the outer %"),
)


def run_calibration(settings: CalibrationSettings, progress: Progress) -> str:
    """Looks, fits, checks, writes; the tables as Markdown."""
    estimator = PoseEstimator(open_runtime(settings.weights))
    parts = []
    for number, (images, annotations) in enumerate(settings.data):
        advance = progress(annotations.parent.name, settings.people)
        what = images, annotations, settings.people, advance, number * PICTURES_A_SET
        parts.append(collect(estimator, *what))
    seen, joints = joined(parts), estimator.runtime.card.keypoints
    sigma = crossed(seen, joints)
    if settings.plot is not None:
        plot(seen, sigma, settings.plot)
    if (path := settings.output) is not None:
        found = calibrate(seen.select(~seen.blurred), joints)
        entries = read_calibrations(path) if path.is_file() else {}  # those of other weights stay
        entries[estimator.runtime.card.sha256] = found
        if not settings.only_these or "default" not in entries:
            entries["default"] = found
        write_text(str(path), written(entries).removesuffix("\n"))
    sharp = ~seen.blurred
    kept = seen.select(sharp)
    rows = {
        "shape as it is": judge(drawn_sigma(kept), kept),
        "shape and score": judge(sigma[sharp], kept),
    }
    return "\n\n".join([table(rows, "sigma predicted from"), _conditions(seen, sigma)])


def collect(
    estimator: PoseEstimator,
    images: Path,
    annotations: Path,
    people: int,
    advance: Callable[[int], None],
    first_picture: int = 0,
) -> Sightings:
    """The first ``people`` people of an annotated set, sharp and blurred, in annotated boxes.

    Pictures are numbered from ``first_picture`` on.
    """
    known = load_annotations(annotations)
    parts, done = [], 0
    with Archive(images) as pictures:
        for number, boxed in enumerate(annotated_boxes(known, estimator.runtime.card.alignment)):
            if done >= people:
                break
            if not len(boxed):
                continue
            image_bgr = pictures.image_bgr(boxed.picture.file_name)
            crops = estimator.cut(image_bgr, boxed.boxes_xyxy)
            labels = np.array([person.keypoints for person in known.people_by_picture[number]])
            soft = np.stack([cv2.blur(crop, (BLUR_PX, 1)) for crop in crops]).astype(np.uint8)
            for blurred, seen in ((False, crops), (True, soft)):
                what = labels, boxed.boxes_xyxy, first_picture + number, blurred
                parts.append(_sightings(estimator, seen, *what))
            done += len(boxed)
            advance(len(boxed))
    return joined(parts)


def _sightings(
    estimator: PoseEstimator,
    crops_bgr: NDArray[np.uint8],
    labels: Floats,
    boxes_xyxy: Floats,
    picture: int,
    blurred: bool,
) -> Sightings:
    starts = range(0, len(crops_bgr), PEOPLE_AT_ONCE)
    parts = [estimator.runtime(crops_bgr[i : i + PEOPLE_AT_ONCE]) for i in starts]
    heatmaps = np.concatenate(parts)
    decoded = decode(heatmaps, "dark", estimator.runtime.card.blur_kernel)
    grid_hw = (int(heatmaps.shape[2]), int(heatmaps.shape[3]))
    true = estimator.geometry.to_heatmap(labels[..., :2], boxes_xyxy, grid_hw)
    corners = estimator.geometry.to_heatmap(boxes_xyxy.reshape(-1, 2, 2), boxes_xyxy, grid_hw)
    reach = np.sqrt(np.prod(corners[:, 1] - corners[:, 0], axis=1))
    # A label outside the crop cannot be found, whatever the network says.
    inside = ((true > -0.5) & (true < np.array(grid_hw[::-1]) - 0.5)).all(axis=2)
    kept = (labels[..., 2] > 0) & inside & np.isfinite(decoded.xy).all(axis=2)
    person, joint = np.nonzero(kept)
    return Sightings(
        joint=joint,
        picture=np.full(len(joint), picture),
        error=(decoded.xy - true)[kept],
        reach=reach[person],
        covariance=decoded.covariance[kept],
        score=np.minimum(decoded.scores[kept], 1.0).astype(np.float64),
        hidden=labels[..., 2][kept] == HIDDEN,
        blurred=np.full(len(joint), blurred),
    )


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
