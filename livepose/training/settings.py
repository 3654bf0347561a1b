"""Every setting of a training, in one place, each with what it means.

A run keeps them in ``settings.json``; going on with a run takes them from there, so that the
schedule is the same.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from livepose.errors import DataError, UsageError
from livepose.settings import ALIGNMENTS, check, flag_of, option
from livepose.skeletons import SKELETONS

OPTIMISERS = ("adamw", "muon")
DATA = "IMAGES:ANNOTATIONS[:WEIGHT][:noisy][:one-boxed]"
STRIDE_OF_COARSEST = 32
CHANGEABLE = frozenset({"device", "threads", "workers", "dev"})
"""What may be other when a run goes on: nothing of it changes what is learned."""
LENGTH = frozenset({"samples", "budget_minutes", "decay_last", "size_last"})
"""May be other too where the rate has not begun to fall: a constant one can go on for longer."""


@dataclass(frozen=True)
class ReadSettings:
    """How keypoint sets are read."""

    data: tuple[str, ...] = option((), "a set to learn from; may be repeated", metavar=DATA)
    skeleton: str = option("coco17", "of the output: a name or a file")
    strict_data: bool = option(False, "refuse the first bad datum instead of skipping it")
    workers: int = option(1, "threads that prepare batches", least=1)

    def __post_init__(self) -> None:
        check(self)
        SKELETONS[self.skeleton]  # refuses what there is not
        if not self.data:
            raise UsageError(f"nothing to learn from: give --data {DATA} at least once")


@dataclass(frozen=True)
class RunSettings(ReadSettings):
    """What every training can be told."""

    adam_lr: ClassVar = 1e-3
    """With Muon, for all that is no hidden convolution."""
    clip_norm: ClassVar = 5.0
    """Largest norm of a gradient."""

    dev: tuple[str, ...] = option(
        (), "a set to measure on, never trained on", metavar="IMAGES:ANNOTATIONS"
    )
    batch: int = option(32, "samples a step, over all processes together", least=1)
    samples: int | None = option(None, "length: samples seen", least=1)
    budget_minutes: float | None = option(None, "length: time", above=0)
    optimiser: str = option("adamw", "muon: for hidden convolutions", choices=OPTIMISERS)
    lr: float | None = option(None, "highest rate; default: 0.001, of muon 0.02", above=0)
    relative_step: float | None = option(
        None, "with muon, in place of lr: norms held, each update this share of them", above=0
    )
    warm_up_steps: int = option(200, "until the highest rate", least=0)
    decay_last: float | None = option(
        None, "constant rate, then to 0 in this last share (0: never); default: cosine", least=0
    )
    ema_decay: float = option(0.999, "of the running mean of the weights", least=0)
    precision: str = option("bf16", "of the forward pass", choices=("bf16", "fp32"))
    seed: int = option(0, "of weights, order and augmentation", least=0)
    init: str | None = option(None, "weights to start from", metavar="FILE")
    device: str = option("auto", "auto, cpu or cuda:N")
    threads: int | None = option(None, "of torch on a processor", least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.samples is None) == (self.budget_minutes is None):
            length = next(flag_of(one) for one in fields(self) if one.name == "samples")
            raise UsageError(f"how long? give one of {length} and --budget-minutes")
        if self.relative_step is not None and self.optimiser != "muon":
            raise UsageError("--relative-step belongs to --optimiser muon")
        if (self.decay_last or 0) > 1:
            raise UsageError(f"--decay-last: expected a share from 0 to 1, got {self.decay_last}")

    @property
    def highest_lr(self) -> float:
        """The learning rate after warm-up."""
        return (1e-3 if self.optimiser == "adamw" else 0.02) if self.lr is None else self.lr

    def to_json(self) -> str:
        """As text for ``settings.json``."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads what ``to_json`` wrote. DataError when it is something else."""
        try:
            values, hints = dict(json.loads(text)), get_type_hints(cls)
            names = [one.name for one in fields(cls) if one.name in values]
            return cls(**{name: _typed(name, hints[name], values[name]) for name in names})
        except RecursionError as error:
            raise DataError("settings of a run: nested too deeply to be livepose's own") from error
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"settings of a run: expected livepose's own, got: {error}") from error

    def resumed(self, given: Mapping[str, Any], is_decaying: bool) -> Self:
        """These settings with those of ``given`` that may be other when a run goes on.

        UsageError when ``given`` would change what is learned.
        """
        free = CHANGEABLE if is_decaying or self.decay_last is None else CHANGEABLE | LENGTH
        for name, value in given.items():
            if name not in free and getattr(self, name) != value:
                raise UsageError(
                    f"--resume goes on with the schedule as it was: {name} is "
                    f"{getattr(self, name)!r} there and cannot become {value!r}; start a new run "
                    "with --init FILE instead"
                )
        return replace(self, **given)


@dataclass(frozen=True)
class PoseSettings(RunSettings):
    """What a pose training can be told beside that."""

    samples: int | None = option(None, "length: crops seen", flag="--crops", least=1)
    network: str = option("hrnet_w32", "which network")
    size: str = option("128x96", "HxW[@SHARE],...: input sizes and how often each is taken")
    size_last: str | None = option(None, "the same, for the last share with --decay-last")
    alignment: str = option("pixel_centre", "where pixel centres are", choices=ALIGNMENTS)
    loss: str = option("softmax", "see docs/training.md", choices=("softmax", "mse"))
    targets: str = option("dark", "Gaussians around the true point", choices=("dark", "standard"))
    sigma: float = option(1.0, "of the targets, in heatmap cells", above=0)
    curriculum: str = option("0..1", "A[..B]: curriculum from A to B (at 60 %)")
    webcam: float = option(0.3, "share whose image ends at chest, waist or thigh", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.sizes, self.sizes_last, self.curriculum_range

    @property
    def sizes(self) -> dict[tuple[int, int], float]:
        """Input sizes (height, width) with their shares."""
        return _sizes("--size", self.size)

    @property
    def sizes_last(self) -> dict[tuple[int, int], float]:
        """The same, while the rate falls."""
        return self.sizes if self.size_last is None else _sizes("--size-last", self.size_last)

    @property
    def input_hw(self) -> tuple[int, int]:
        """The size that the weights are for: the largest of the last."""
        return max(self.sizes_last)

    @property
    def curriculum_range(self) -> tuple[float, float]:
        """Curriculum at the start and from 60 % on."""
        first, _, last = self.curriculum.partition("..")
        try:
            found = float(first), float(last or first)
        except ValueError:
            found = (-1.0, -1.0)
        if not all(0 <= value <= 1 for value in found):
            raise UsageError(
                f"--curriculum: expected A or A..B from 0 to 1, got {self.curriculum!r}"
            )
        return found


@dataclass(frozen=True)
class DetectorSettings(RunSettings):
    """What a detector's training can be told beside that."""

    adam_lr: ClassVar = 2e-3
    clip_norm: ClassVar = 10.0

    samples: int | None = option(None, "length: images seen", flag="--images", least=1)
    architecture: str = option("yolo11n.yaml", "of ultralytics")
    input_px: int = option(320, "both sides, a multiple of 32", least=STRIDE_OF_COARSEST)
    mosaic: float = option(0.3, "share of samples made of four images", least=0)
    complete_with: str | None = option(
        None, "a detector: adds what one-boxed sets lack; else they are cut", metavar="FILE"
    )
    optimiser: str = option("muon", "muon: for hidden convolutions", choices=OPTIMISERS)
    warm_up_steps: int = option(60, "until the highest rate", least=0)
    ema_decay: float = option(0.998, "of the running mean of the weights", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.input_px % STRIDE_OF_COARSEST or self.mosaic > 1:
            raise UsageError("--input-px: expected a multiple of 32; --mosaic: a share up to 1")


@dataclass(frozen=True)
class PackSettings(ReadSettings):
    """How a pack is made."""

    output: Path = option(Path("people.pack"), "the pack", metavar="FILE")
    max_mb: float = option(60.0, "size of the whole file, 10**6 bytes each", above=0)
    quality: int = option(84, "of the images as WebP, 1 to 100; lower where that fits", least=1)
    side_px: int = option(192, "of each image at most", least=16)
    overwrite: bool = option(False, "replace a pack that is there")


def _typed(name: str, hint: Any, value: Any) -> Any:
    """A value out of JSON; TypeError where it is of another type than its field."""
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_typed(name, str, one) for one in value)
    allowed = get_args(hint) or (hint,)
    if type(value) in allowed or (float in allowed and type(value) is int):
        return value
    raise TypeError(f"{name}: {value!r:.40}")


def _sizes(flag: str, text: str) -> dict[tuple[int, int], float]:
    """``96x64@0.6,128x96`` as sizes with shares; without one a size counts 1."""
    found: dict[tuple[int, int], float] = {}
    for part in text.lower().split(","):
        size, _, share = part.partition("@")
        height, _, width = size.partition("x")
        try:
            sides, weight = (int(height), int(width)), float(share or 1)
        except ValueError:
            sides, weight = (0, 0), 0.0
        if weight <= 0 or any(side <= 0 or side % STRIDE_OF_COARSEST for side in sides):
            raise UsageError(
                f"{flag}: expected HEIGHTxWIDTH[@SHARE],... in multiples of 32, got {text!r}"
            )
        found[sides] = weight
    return found
