"""A run becomes weights: its EMA in half precision, with a card that says how it came about."""

import logging
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from livepose.networks import build_network
from livepose.skeletons import SKELETONS
from livepose.training.checkpoint import load_state, read_checkpoint
from livepose.training.gaussianity import Gaussianity, measure_gaussianity
from livepose.training.learner import channels_last
from livepose.training.log import read_log
from livepose.training.monitor import Monitor
from livepose.training.people import People
from livepose.training.run import read_people
from livepose.training.settings import TrainSettings, from_json
from livepose.training.validators import build_card, build_monitor
from livepose.weights import Card, save_checkpoint

logger = logging.getLogger(__name__)

FITTED_PEOPLE = 200
LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"


def export_run(folder: Path, output: Path, dev: tuple[str, ...] = ()) -> Card:
    """Write the EMA of the run in ``folder`` as weights.

    The dev sets (of the run, or ``dev``) are used to say how good and how Gaussian its maps are.

    Raises
    ------
    DataError, WeightsError
        When the run has no checkpoint, or the file cannot be written.
    """
    content = read_checkpoint(folder)
    settings = from_json(content["settings"])
    state = content["learner"]["ema"]
    notes = facts(settings, content) | validated(folder, int(content["step"]))
    notes |= _measured(settings, state, folder, dev)
    card = build_card(settings, LICENCE, **notes)
    output.parent.mkdir(parents=True, exist_ok=True)
    saved = save_checkpoint(output, state, card, dtype=torch.float16)
    logger.info(f"{output}: {output.stat().st_size / 1e6:.1f} MB, SHA-256 {saved.sha256}")
    return saved


def facts(settings: TrainSettings, content: dict[str, Any]) -> dict[str, str]:
    """How the weights came about, for the card."""
    return {
        "data": ", ".join(short_name(text) for text in settings.data),
        "crops": str(int(content["step"]) * settings.batch),
        "minutes": f"{float(content['elapsed_s']) / 60:.1f}",
        "seed": str(settings.seed),
        "loss": settings.loss + (f", mse last {settings.mse_last:g}" if settings.mse_last else ""),
        "targets": settings.targets,
        "optimiser": f"{settings.optimiser}, lr {settings.highest_lr:g}, batch {settings.batch}",
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


def _measured(
    settings: TrainSettings, state: dict[str, torch.Tensor], folder: Path, dev: tuple[str, ...]
) -> dict[str, str]:
    """Figures on the dev sets."""
    sets = read_people(settings, dev or settings.dev)
    if not sets:
        return {}
    network = build_network(settings.network, len(SKELETONS[settings.skeleton].keypoints))
    load_state(network, state, folder)
    network = channels_last(network).eval()
    monitor = build_monitor(settings, torch.device("cpu"))
    notes = {}
    for text, people in zip(dev or settings.dev, sets, strict=True):
        found = gaussianity_of(monitor, network, people)
        name = short_name(text)
        notes[f"gaussian_residual {name}"] = f"{found.residual:.4f} over {found.maps} maps"
        logger.info(
            f"{name}: a Gaussian leaves {100 * found.residual:.1f} % of the log-heatmap unexplained"
            f" near the peak, sigma {found.sigma:.2f} cells, {found.maps} maps"
        )
    return notes


def gaussianity_of(monitor: Monitor, network: torch.nn.Module, people: People) -> Gaussianity:
    """How Gaussian the maps of the first labelled people are."""
    rows = np.arange(min(len(people), FITTED_PEOPLE))
    maps = np.concatenate(
        [monitor.heatmaps(network, people, rows[i : i + 32]) for i in range(0, len(rows), 32)]
    )
    return measure_gaussianity(maps, people.weights[rows] > 0)
