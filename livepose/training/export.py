"""A run becomes weights: its mean in half precision, with a card that says how it came about."""

import logging
import platform
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from livepose.errors import DataError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import open_people
from livepose.evaluation.boxes import annotated_boxes
from livepose.evaluation.predict import batches
from livepose.evaluation.settings import Loading
from livepose.evaluation.validation import CallableRuntime
from livepose.networks import build_network
from livepose.skeletons import SKELETONS
from livepose.training.checkpoint import NAME, load_state, read_checkpoint
from livepose.training.data import parse_set
from livepose.training.gaussianity import Gaussianity, measure_gaussianity
from livepose.training.log import read_log
from livepose.training.pose import as_runtime, build_card
from livepose.training.settings import PoseSettings
from livepose.training.train_step import channels_last
from livepose.weights import Card, save_checkpoint

logger = logging.getLogger(__name__)
FITTED_PEOPLE = 200
LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"


def export_run(folder: Path, output: Path, dev: tuple[str, ...] = ()) -> Card:
    """Write the mean weights of the run in ``folder``.

    The dev sets (of the run, or ``dev``) are used to say how Gaussian its maps are. DataError,
    WeightsError when the run has no checkpoint, or the file cannot be written.
    """
    content = read_checkpoint(folder)
    settings = PoseSettings.from_json(str(content.get("settings")))
    state = content["learner"].get("ema") if isinstance(content["learner"], dict) else None
    if not isinstance(state, dict):
        raise DataError(f"{folder / NAME} holds no weights")
    network = build_network(settings.network, len(SKELETONS[settings.skeleton].keypoints))
    load_state(network, state, folder / NAME)
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
