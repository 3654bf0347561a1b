"""Every setting of a pose training, in one place, each with what it means.

A run keeps them in ``settings.json``; going on with a run takes them from there, so that the
schedule is the same.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from livepose.crops import ALIGNMENTS
from livepose.errors import DataError, UsageError
from livepose.skeletons import find_skeleton
from livepose.training.losses import LOSSES
from livepose.training.pictures import CACHES
from livepose.training.plan import AugmentSettings
from livepose.training.targets import TARGETS

OPTIMISERS = ("adamw", "muon")
PRECISIONS = ("bf16", "fp16", "fp32")
DEFAULT_LR = {"adamw": 1e-3, "muon": 0.02}
CHANGEABLE = frozenset(
    {
        "stop_after_minutes",
        "device",
        "threads",
        "workers",
        "cache",
        "checkpoint_minutes",
        "log_every",
        "dev",
        "validate_every",
        "validate_people",
        "validate_pictures",
    }
)
"""What may be other when a run goes on: nothing of it changes what is learned."""


@dataclass(frozen=True)
class TrainSettings:
    """See each line."""

    data: tuple[str, ...]  # images:annotations[:weight] or pack:FILE
    dev: tuple[str, ...] = ()  # images:annotations to watch, never trained on
    noisy: tuple[str, ...] = ("lspet",)  # sets (by a part of their path) with unsure human labels
    strict_data: bool = False  # refuse the first bad datum instead of skipping it
    skeleton: str = "coco17"
    network: str = "hrnet_w32"
    input_hw: tuple[int, int] = (128, 96)  # multiples of 32
    alignment: str = "pixel_centre"
    padding: float = 1.25  # the crop's side over the box's
    loss: str = "softmax"
    targets: str = "dark"
    sigma: float = 1.0  # of the target Gaussian, in heatmap cells
    mse_last: float = 0.0  # last share of the schedule: squared error between maps
    optimiser: str = "adamw"
    lr: float | None = None  # highest learning rate; None: 1e-3 for adamw, 0.02 for muon
    adam_lr: float = 1e-3  # with muon, for all that is no hidden convolution
    weight_decay: float = 0.01
    batch: int = 32  # crops a step, over all processes together
    crops: int | None = None  # schedule by crops seen ...
    budget_minutes: float | None = None  # ... or by time
    stop_after_minutes: float | None = None  # stop here, to go on later; the schedule is as it was
    warm_up_steps: int = 200
    decay: bool = True  # cosine to 2 %; without it the rate stays
    hardness: tuple[float, float] = (0.0, 1.0)  # curriculum: at the start, and from 60 % on
    ema_decay: float = 0.999
    clip_norm: float = 5.0
    precision: str = "bf16"
    seed: int = 0
    init: str | None = None  # weights to start from
    device: str = "auto"
    threads: int | None = None  # of torch on a CPU
    workers: int = 1  # threads that prepare batches
    cache: str = "decoded"
    cache_px: int = 192  # on a GPU: side of the crops kept there
    compile: bool = False  # torch.compile the network
    checkpoint_minutes: float = 10.0
    log_every: int = 25  # steps
    validate_every: int = 0  # steps; 0: only at the end
    validate_people: int = 400  # of each dev set, for the quick look
    validate_pictures: int | None = None  # of each dev set, for the evaluation; None: all
    augment: AugmentSettings = field(default_factory=AugmentSettings)

    def __post_init__(self) -> None:
        _one_of("--loss", self.loss, LOSSES)
        _one_of("--targets", self.targets, TARGETS)
        _one_of("--optimiser", self.optimiser, OPTIMISERS)
        _one_of("--precision", self.precision, PRECISIONS)
        _one_of("--alignment", self.alignment, ALIGNMENTS)
        _one_of("--cache", self.cache, CACHES)
        find_skeleton(self.skeleton)
        if not self.data:
            raise UsageError("nothing to train on: give --data IMAGES:ANNOTATIONS at least once")
        if any(side <= 0 or side % 32 for side in self.input_hw):
            raise UsageError(f"--size: expected multiples of 32, got {self.input_hw}")
        if (self.crops is None) == (self.budget_minutes is None):
            raise UsageError("how long? give one of --crops and --budget-minutes")
        _above_zero("--batch", self.batch)
        _above_zero("--sigma", self.sigma)
        _above_zero("--crops", self.crops)
        _above_zero("--budget-minutes", self.budget_minutes)
        if not all(0 <= value <= 1 for value in (*self.hardness, self.mse_last)):
            raise UsageError("--hardness and --mse-last: expected numbers from 0 to 1")

    @property
    def highest_lr(self) -> float:
        """The learning rate after warm-up."""
        return DEFAULT_LR[self.optimiser] if self.lr is None else self.lr

    @property
    def activation(self) -> str:
        """What turns the network's output into heatmaps, as weights cards say it."""
        return "softmax" if self.loss == "softmax" else "none"

    def to_json(self) -> str:
        """As text for ``settings.json``."""
        return json.dumps(asdict(self), indent=2)


def _one_of(flag: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{flag}: expected one of {', '.join(allowed)}, got {value!r}")


def _above_zero(flag: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise UsageError(f"{flag}: expected a number above 0, got {value}")


def from_json(text: str) -> TrainSettings:
    """Read what ``to_json`` wrote.

    Raises
    ------
    DataError
        When it is something else.
    """
    try:
        values = json.loads(text)
        augment = AugmentSettings(**values.pop("augment"))
        known = {entry.name for entry in fields(TrainSettings)}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        chosen = {name: value for name, value in (values | lists).items() if name in known}
        return TrainSettings(**chosen, augment=augment)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"settings of a run: expected what livepose wrote, got: {error}") from error


def write_settings(settings: TrainSettings, folder: Path) -> None:
    """Keep the settings of a run in its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(settings.to_json(), encoding="utf-8")


def resumed_settings(folder: Path, given: Mapping[str, Any]) -> TrainSettings:
    """Settings of the run in ``folder``, with those of ``given`` that may be other.

    Raises
    ------
    UsageError
        When there is no run, or ``given`` would change what is learned.
    """
    file = folder / "settings.json"
    if not file.is_file():
        raise UsageError(f"{folder}: there is no run to go on with (no settings.json)")
    saved = from_json(file.read_text(encoding="utf-8"))
    for name, value in given.items():
        if name not in CHANGEABLE and getattr(saved, name) != value:
            raise UsageError(
                f"--resume goes on with the schedule as it was: {name} is "
                f"{getattr(saved, name)!r} there and cannot become {value!r}; start a new run "
                "with --init FILE instead"
            )
    # Where to pause was said for one start only.
    saved = replace(saved, stop_after_minutes=None)
    return replace(saved, **{name: given[name] for name in given if name in CHANGEABLE})
