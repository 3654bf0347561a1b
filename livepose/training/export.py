"""A run becomes weights: its mean in half precision, with a card that says how it came about.

It also says how Gaussian the heatmaps are, as DARK takes the logarithm near a peak for a quadratic
(Zhang et al., arXiv 1910.06278, section 3.1).
"""

import logging
import platform
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from livepose.estimator import PoseEstimator
from livepose.evaluation.dataset import open_people
from livepose.evaluation.predict import annotated_boxes, batches
from livepose.evaluation.validation import CallableRuntime
from livepose.networks import build_network
from livepose.skeletons import SKELETONS
from livepose.training.data import parse_set
from livepose.training.pose import as_runtime, build_card
from livepose.training.records import CHECKPOINT, load_state, read_checkpoint, read_log, read_state
from livepose.training.settings import PoseSettings
from livepose.training.train_step import channels_last
from livepose.weights import Card, save_checkpoint

logger = logging.getLogger(__name__)
FITTED_PEOPLE = 200
REACH = 2
FLOOR = 1e-4
"""Cells below this share of the peak are taken for this share: no network means them."""
LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"


class Gaussianity(NamedTuple):
    """What a log-quadratic fit over 5 x 5 cells leaves over, as a mean over maps.

    ``residual`` is RMS(log map - fit) / RMS(log map - its mean): 0 for a Gaussian, 1 where the fit
    explains nothing. ``sigma`` is the median deviation of the fitted Gaussians in cells.
    """

    residual: float
    sigma: float
    maps: int


def measure_gaussianity(heatmaps: NDArray[np.floating], labelled: NDArray[np.bool_]) -> Gaussianity:
    """Fits a quadratic to the logarithm around every peak of heatmaps (P, K, H, W), as they are
    decoded; ``labelled`` (P, K) says which count. Peaks at the edge do not.
    """
    size = 2 * REACH + 1
    maps = heatmaps[labelled].astype(np.float64)
    peaks = maps.reshape(len(maps), -1).argmax(axis=1)
    rows, columns = (axis - REACH for axis in np.divmod(peaks, maps.shape[2]))
    cells = np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
    kept = (rows >= 0) & (columns >= 0) & (rows < cells.shape[1]) & (columns < cells.shape[2])
    kept &= maps.max(axis=(1, 2)) > 0
    if not kept.any():
        return Gaussianity(float("nan"), float("nan"), 0)
    windows = cells[kept, rows[kept], columns[kept]].reshape(-1, size * size)
    windows = np.log(np.maximum(windows / windows.max(axis=1, keepdims=True), FLOOR))
    y, x = (axis.ravel() for axis in np.mgrid[-REACH : REACH + 1.0, -REACH : REACH + 1.0])
    design = np.stack([np.ones_like(x), x, y, x * x / 2, y * y / 2, x * y], axis=1)
    fitted = windows @ np.linalg.pinv(design).T
    left_over = np.sqrt(np.mean((windows - fitted @ design.T) ** 2, axis=1))
    curvature = -(fitted[:, 3] + fitted[:, 4]) / 2
    sigma = np.median(1 / np.sqrt(curvature[curvature > 0])) if (curvature > 0).any() else np.nan
    residual = np.mean(left_over / np.maximum(windows.std(axis=1), 1e-12))
    return Gaussianity(float(residual), float(sigma), len(windows))


def export_run(folder: Path, output: Path, dev: tuple[str, ...] = ()) -> Card:
    """Write the mean weights of the run in ``folder``.

    The dev sets (of the run, or ``dev``) are used to say how Gaussian its maps are. DataError,
    WeightsError when the run has no checkpoint, or the file cannot be written.
    """
    content = read_checkpoint(folder)
    settings = PoseSettings.from_json(str(content.get("settings")))
    state = read_state(folder / CHECKPOINT)
    network = build_network(settings.network, len(SKELETONS[settings.skeleton].keypoints))
    load_state(network, state, folder / CHECKPOINT)
    cpu = torch.device("cpu")
    notes = _provenance(settings, content) | _validated(folder, int(content["step"]))
    runtime = as_runtime(channels_last(network, cpu).eval(), settings, cpu)
    for text in dev or settings.dev:
        found, name = _gaussianity_of(runtime, text), _short_name(text)
        notes[f"gaussian_residual {name}"] = f"{found.residual:.4f} over {found.maps} maps"
        logger.info(
            f"{name}: a Gaussian leaves {100 * found.residual:.1f} % of the log-heatmap unexplained"
            f" near the peak, sigma {found.sigma:.2f} cells, {found.maps} maps"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    card = build_card(settings, LICENCE, **notes)
    saved = save_checkpoint(output, state, card, dtype=torch.float16)
    logger.info(f"{output}: {output.stat().st_size / 1e6:.1f} MB, SHA-256 {saved.sha256}")
    return saved


def _provenance(settings: PoseSettings, content: dict[str, Any]) -> dict[str, str]:
    """How the weights came about, for the card."""
    on_gpu = settings.device != "cpu" and torch.cuda.is_available()
    cpu = f"{torch.get_num_threads()} CPU threads, {platform.machine()}"
    step = settings.relative_step
    rate = f"lr {settings.highest_lr:g}" if step is None else f"norms held, step {step:g}"
    return {
        "data": ", ".join(_short_name(text) for text in settings.data),
        "crops": str(int(content["step"]) * settings.batch),
        "minutes": f"{float(content['elapsed_s']) / 60:.1f}",
        "seed": str(settings.seed),
        "sizes": settings.size + (f", at last {settings.size_last}" if settings.size_last else ""),
        "loss": settings.loss + (f", mse last {settings.mse_last:g}" if settings.mse_last else ""),
        "targets": settings.targets,
        "optimiser": f"{settings.optimiser}, {rate}, batch {settings.batch}",
        "started_from": Path(settings.init).name if settings.init else "nothing",
        "hardware": torch.cuda.get_device_name() if on_gpu else cpu,
    }


def _validated(folder: Path, step: int) -> dict[str, str]:
    """What the dev sets said of exactly these weights, from the log."""
    notes = {}
    for entry in read_log(folder):
        if "validation" in entry and entry["step"] == step:
            figures = ", ".join(f"{name} {value:g}" for name, value in entry["validation"].items())
            notes[f"validation {_short_name(entry['set'])}"] = figures
    return notes


def _short_name(text: str) -> str:
    """A set in two words: the folders of its annotations, or the name of its pack."""
    parts = text.split(":")
    path = Path(parts[1])
    return path.name if parts[0] == "pack" else "/".join(path.parent.parts[-2:])


def _gaussianity_of(runtime: CallableRuntime, dev: str) -> Gaussianity:
    """How Gaussian the maps of the first annotated people are."""
    spec = parse_set(dev)
    dataset, archive = open_people(spec.images, spec.annotations)
    sample = annotated_boxes(dataset, runtime.card.alignment)
    with archive as images:
        crops = batches(PoseEstimator(runtime), images, sample)
        maps = np.concatenate([runtime(one) for one, _ in islice(crops, 1 + FITTED_PEOPLE // 32)])
    return measure_gaussianity(maps, dataset.keypoints()[1][: len(maps)])
