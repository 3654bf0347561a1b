"""A detector of persons alone: YOLO11n, trained by ultralytics' own trainer from nothing.

The trainer is used as it is but for what it would fetch or import beside the training: the
dataset check (a font from the network), the mixed-precision check (a model from the network) and
its validation (torchvision). What comes out after every epoch is a safetensors file with the
architecture beside the tensors.
"""

import logging
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from livepose.detection.checkpoint import save_detector
from livepose.detection.library import ultralytics
from livepose.errors import DataError, LiveposeError, UsageError
from livepose.training.detector_data import Dataset
from livepose.training.log import RunLog, clock

logger = logging.getLogger(__name__)

EXPORT = "detector.safetensors"
LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"


@dataclass(frozen=True)
class DetectorSettings:
    """How the detector is trained; see each line."""

    architecture: str = "yolo11n.yaml"
    input_px: int = 320  # longer side, a multiple of 32
    batch: int = 16
    epochs: int = 100
    budget_minutes: float | None = None  # the trainer fits the epochs to it
    lr: float | None = None  # None: ultralytics chooses optimiser and rate
    optimiser: str = "auto"
    precision: str = "bf16"  # or fp32
    seed: int = 0
    device: str = "cpu"
    workers: int = 0
    threads: int | None = None
    close_mosaic: int = 10  # last epochs without mosaics
    scale: float = 0.5
    rotation_deg: float = 0.0
    init: Path | None = None  # a detector to start from

    def __post_init__(self) -> None:
        if self.input_px <= 0 or self.input_px % 32:
            raise UsageError(f"--input-px: expected a multiple of 32, got {self.input_px}")
        if min(self.batch, self.epochs) < 1:
            raise UsageError("--batch and --epochs: expected numbers from 1 on")
        if self.precision not in ("bf16", "fp32"):
            raise UsageError(f"--precision: expected bf16 or fp32, got {self.precision!r}")


def train_detector(
    settings: DetectorSettings, dataset: Dataset, folder: Path, resume: bool
) -> Path:
    """Train and return the path of the exported detector.

    Raises
    ------
    LiveposeError
        When there is nothing to go on with, or the training fails.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    overrides = overrides_of(settings, dataset, folder)
    if resume:
        overrides["resume"] = str(checkpoint_of(folder))
        if settings.budget_minutes is not None:
            raise UsageError("--resume goes on by --epochs: a budget of time starts anew")
    ultralytics()
    watcher = _Watcher(settings, dataset, folder)
    try:
        # Its bars go to stdout, where livepose has results alone.
        with redirect_stdout(sys.stderr):
            trainer = _trainer_class(dataset, settings.init)(overrides=overrides)
            for event in ("on_train_start", "on_train_epoch_end", "on_model_save"):
                trainer.add_callback(event, getattr(watcher, event))
            trainer.train()
    except (AssertionError, RuntimeError) as error:
        raise LiveposeError(f"the detector's training failed: {error}") from error
    return folder / EXPORT


def check_folder(folder: Path, resume: bool) -> None:
    """A new run needs a new folder; going on needs a checkpoint.

    Raises
    ------
    DataError, UsageError
        When it is the other way round.
    """
    if resume:
        checkpoint_of(folder)
    elif (folder / "weights" / "last.pt").is_file():
        raise UsageError(f"{folder} holds a run already: give --resume or another --name")


def checkpoint_of(folder: Path) -> Path:
    """The trainer's own checkpoint of a run.

    Raises
    ------
    DataError
        When there is none.
    """
    file = folder / "weights" / "last.pt"
    if not file.is_file():
        raise DataError(f"{file}: there is no checkpoint to go on from")
    return file


def overrides_of(settings: DetectorSettings, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """The settings in ultralytics' words."""
    chosen: dict[str, Any] = {
        "model": settings.architecture,
        "data": str(dataset.list_file),
        "project": str(folder.parent.resolve()),
        "name": folder.name,
        "exist_ok": True,
        "epochs": settings.epochs,
        "imgsz": settings.input_px,
        "batch": settings.batch,
        "device": settings.device,
        "workers": settings.workers,
        "seed": settings.seed,
        "optimizer": settings.optimiser,
        "cos_lr": True,
        "close_mosaic": settings.close_mosaic,
        "scale": settings.scale,
        "degrees": settings.rotation_deg,
        # ultralytics has bf16 on CUDA only.
        "amp": "bf16" if settings.precision == "bf16" and settings.device != "cpu" else False,
        "patience": 0,
        "cache": "ram",
        "pretrained": False,
        "val": False,
        "plots": False,
        "verbose": False,
    }
    if settings.lr is not None:
        chosen["lr0"] = settings.lr
    if settings.budget_minutes is not None:
        chosen["time"] = settings.budget_minutes / 60
    return chosen


def _trainer_class(dataset: Dataset, init: Path | None) -> Any:
    """Ultralytics' trainer without what it would fetch or import beside the training."""
    from ultralytics.models.yolo.detect import DetectionTrainer

    def get_dataset(self: Any) -> dict[str, Any]:
        return {
            "train": self.args.data,
            "val": str(dataset.one_picture),
            "names": {0: "person"},
            "nc": 1,
            "channels": 3,
        }

    def get_validator(self: Any) -> Any:
        return SimpleNamespace(metrics=SimpleNamespace(keys=[]), dataloader=None, args=self.args)

    def validate(self: Any) -> tuple[dict[str, float], float]:
        loss = sum(float(value) for value in (self.tloss or {}).values())
        self.best_fitness = max(-loss, self.best_fitness or -loss)
        return {}, -loss

    def final_eval(self: Any) -> None:
        """Nothing: the evaluation measures what was exported."""

    def get_model(self: Any, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
        model = DetectionTrainer.get_model(self, cfg, weights, verbose)
        if init is not None and not self.resume:
            _start_from(model, init)
        return model

    methods = (get_dataset, get_validator, validate, final_eval, get_model)
    return type(
        "PersonTrainer", (DetectionTrainer,), {method.__name__: method for method in methods}
    )


def _start_from(model: Any, file: Path) -> None:
    """Take the tensors of an exported detector of the same architecture."""
    from safetensors.torch import load_file

    try:
        tensors = load_file(file)
        model.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: expected a detector of this architecture: {reason}") from error


class _Watcher:
    """Says how the training goes and exports after every epoch."""

    def __init__(self, settings: DetectorSettings, dataset: Dataset, folder: Path) -> None:
        self._settings, self._dataset = settings, dataset
        self._folder = folder
        self._began_s = self._epoch_s = time.perf_counter()
        self._log: RunLog | None = None

    def on_train_start(self, trainer: Any) -> None:
        self._began_s = self._epoch_s = time.perf_counter()
        self._log = RunLog(self._folder, int(trainer.start_epoch))

    def on_train_epoch_end(self, trainer: Any) -> None:
        now_s = time.perf_counter()
        seconds, self._epoch_s = now_s - self._epoch_s, now_s
        losses = {name: round(float(value), 4) for name, value in trainer.tloss.items()}
        done, epochs = int(trainer.epoch) + 1, int(trainer.epochs)
        entry = {
            "step": done,
            "losses": losses,
            "images_per_s": round(self._dataset.pictures / seconds, 2),
            "elapsed_s": round(now_s - self._began_s, 1),
        }
        if self._log is not None:
            self._log.write(entry)
        figures = ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
        logger.info(
            f"epoch {done} of {epochs}: {figures}, {entry['images_per_s']} pictures/s, "
            f"{clock((epochs - done) * seconds)} left"
        )

    def on_model_save(self, trainer: Any) -> None:
        metadata = {
            "classes": "person",
            "input_px": str(self._settings.input_px),
            "source": "trained by livepose train detector",
            "licence": LICENCE,
            "epochs": str(int(trainer.epoch) + 1),
            "pictures": str(self._dataset.pictures),
            "boxes": str(self._dataset.boxes),
            "seed": str(self._settings.seed),
        }
        target = self._folder / EXPORT
        draft = target.with_name(f"draft.{EXPORT}")
        save_detector(draft, trainer.ema.ema, metadata)
        draft.replace(target)
