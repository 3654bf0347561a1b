"""A run becomes weights: its mean in half precision, with a card that says how it came about.

It also says how Gaussian the heatmaps are, as DARK takes the logarithm near a peak for a quadratic
(Zhang et al., arXiv 1910.06278, section 3.1).
"""

import logging
import platform
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.evaluation.dataset import open_people
from livepose.evaluation.predict import annotated_boxes, batches
from livepose.evaluation.settings import Loading
from livepose.evaluation.validation import CallableRuntime
from livepose.networks import build_network
from livepose.skeletons import SKELETONS
from livepose.training.data import parse_set
from livepose.training.pose import as_runtime, build_card
from livepose.training.records import CHECKPOINT, load_state, read_checkpoint, read_log
from livepose.training.settings import PoseSettings
from livepose.training.train_step import channels_last
from livepose.weights import Card, save_checkpoint

logger = logging.getLogger(__name__)
FITTED_PEOPLE = 200
REACH = 2
FLOOR = 1e-4
"""Cells below this share of the peak are taken for this share: no network means them."""
LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"


@dataclass(frozen=True)
class Gaussianity:
    """What a log-quadratic fit over 5 x 5 cells leaves over.

    ``residual`` is the mean over maps of RMS(log map - fit) / RMS(log map - its mean): 0 for a
    Gaussian, 1 where the fit explains nothing. ``sigma`` is the median deviation of the fitted
    Gaussians in cells, NaN where none has a peak. ``maps`` is how many were fitted: those whose
    peak lies two cells or more from the edge.
    """

    residual: float
    sigma: float
    maps: int


def measure_gaussianity(heatmaps: NDArray[np.floating], labelled: NDArray[np.bool_]) -> Gaussianity:
    """Fits a quadratic to the logarithm around every peak of heatmaps (P, K, H, W), as they are
    decoded; ``labelled`` (P, K) says which of them count.
    """
    maps = heatmaps[labelled].astype(np.float64)
    y, x = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), maps.shape[2])
    highest = maps[np.arange(len(maps)), y, x]
    size = 2 * REACH + 1
    cells = np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
    rows, columns = y - REACH, x - REACH
    kept = (rows >= 0) & (columns >= 0) & (highest > 0)
    kept &= (rows < cells.shape[1]) & (columns < cells.shape[2])
    inner = cells[np.flatnonzero(kept), rows[kept], columns[kept]].reshape(-1, size * size)
    windows = np.log(np.maximum(inner / highest[kept][:, None], FLOOR))
    if not len(windows):
        return Gaussianity(float("nan"), float("nan"), 0)
    y, x = (axis.ravel() for axis in np.mgrid[-REACH : REACH + 1.0, -REACH : REACH + 1.0])
    design = np.stack([np.ones_like(x), x, y, x * x / 2, y * y / 2, x * y], axis=1)
    fitted = windows @ np.linalg.pinv(design).T
    left_over = np.sqrt(np.mean((windows - fitted @ design.T) ** 2, axis=1))
    varied = windows.std(axis=1)
    curvature = -(fitted[:, 3] + fitted[:, 4]) / 2
    peaked = curvature[curvature > 0]
    sigma = float(np.median(1 / np.sqrt(peaked))) if len(peaked) else float("nan")
    return Gaussianity(float(np.mean(left_over / np.maximum(varied, 1e-12))), sigma, len(windows))


def export_run(folder: Path, output: Path, dev: tuple[str, ...] = ()) -> Card:
    """Write the mean weights of the run in ``folder``.

    The dev sets (of the run, or ``dev``) are used to say how Gaussian its maps are. DataError,
    WeightsError when the run has no checkpoint, or the file cannot be written.
    """
    content = read_checkpoint(folder)
    settings = PoseSettings.from_json(str(content.get("settings")))
    state = content["learner"].get("ema") if isinstance(content["learner"], dict) else None
    if not isinstance(state, dict):
        raise DataError(f"{folder / CHECKPOINT} holds no weights")
    network = build_network(settings.network, len(SKELETONS[settings.skeleton].keypoints))
    load_state(network, state, folder / CHECKPOINT)
    notes = provenance(settings, content) | validated(folder, int(content["step"]))
    runtime = as_runtime(channels_last(network).eval(), settings, torch.device("cpu"))
    for text in dev or settings.dev:
        found, name = gaussianity_of(runtime, text), short_name(text)
        notes[f"gaussian_residual {name}"] = f"{found.residual:.4f} over {found.maps} maps"
        logger.info(
            f"{name}: a Gaussian leaves {100 * found.residual:.1f} % of the log-heatmap unexplained"
            f" near the peak, sigma {found.sigma:.2f} cells, {found.maps} maps"
        )
    card = build_card(settings, LICENCE, **notes)
    output.parent.mkdir(parents=True, exist_ok=True)
    saved = save_checkpoint(output, state, card, dtype=torch.float16)
    logger.info(f"{output}: {output.stat().st_size / 1e6:.1f} MB, SHA-256 {saved.sha256}")
    return saved


def provenance(settings: PoseSettings, content: dict[str, Any]) -> dict[str, str]:
    """How the weights came about, for the card."""
    step = settings.relative_step
    rate = f"lr {settings.highest_lr:g}" if step is None else f"norms held, step {step:g}"
    return {
        "data": ", ".join(short_name(text) for text in settings.data),
        "crops": str(int(content["step"]) * settings.batch),
        "minutes": f"{float(content['elapsed_s']) / 60:.1f}",
        "seed": str(settings.seed),
        "sizes": settings.size + (f", at last {settings.size_last}" if settings.size_last else ""),
        "loss": settings.loss + (f", mse last {settings.mse_last:g}" if settings.mse_last else ""),
        "targets": settings.targets,
        "optimiser": f"{settings.optimiser}, {rate}, batch {settings.batch}",
        "started_from": Path(settings.init).name if settings.init else "nothing",
        "hardware": hardware(settings.device),
    }


def validated(folder: Path, step: int) -> dict[str, str]:
    """What the dev sets said of exactly these weights, from the log."""
    notes = {}
    for entry in read_log(folder):
        if "validation" in entry and entry["step"] == step:
            figures = ", ".join(f"{name} {value:g}" for name, value in entry["validation"].items())
            notes[f"validation {short_name(entry['set'])}"] = figures
    return notes


def short_name(text: str) -> str:
    """A set in two words: the folders of its annotations, or the name of its pack."""
    parts = text.split(":")
    path = Path(parts[1])
    return path.name if parts[0] == "pack" else "/".join(path.parent.parts[-2:])


def hardware(device: str) -> str:
    """What it was trained on."""
    if device != "cpu" and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{torch.get_num_threads()} CPU threads, {platform.machine()}"


def gaussianity_of(runtime: CallableRuntime, dev: str) -> Gaussianity:
    """How Gaussian the maps of the first annotated people are."""
    spec = parse_set(dev)
    dataset, archive = open_people(spec.images, spec.annotations)
    sample = annotated_boxes(dataset, runtime.card.alignment)
    with archive as pictures:
        crops = batches(PoseEstimator(runtime), pictures, sample, Loading(32, 1))
        maps = np.concatenate([runtime(one) for one, _ in islice(crops, 1 + FITTED_PEOPLE // 32)])
    return measure_gaussianity(maps, dataset.keypoints()[1][: len(maps)])
