"""How the detector's own loop trains, and how far it is."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livepose.errors import UsageError
from livepose.training.pictures import CACHES

LOWEST_RATE = 0.02
# What a resumed run may change: it sees the same samples at the same rates.
FREE = frozenset({"threads", "dev", "init", "cache", "log_every", "checkpoint_minutes"})


@dataclass(frozen=True)
class LoopSettings:
    """See each line; the length is one of ``pictures`` and ``budget_minutes``."""

    data: tuple[str, ...] = ()  # IMAGES:ANNOTATIONS[:WEIGHT] each
    dev: str | None = None  # IMAGES:ANNOTATIONS, measured at the end
    one_boxed: tuple[str, ...] = ("lspet", "stanford40")  # sets (by path) with one box a picture
    complete_with: Path | None = None  # a detector that adds the boxes which they lack
    strict_data: bool = False
    architecture: str = "yolo11n.yaml"
    input_px: int = 320  # both sides, a multiple of 32
    batch: int = 32
    pictures: int | None = None
    budget_minutes: float | None = None
    lr: float = 0.02  # highest, of Muon
    decay: bool = True  # cosine; False keeps the rate
    warm_up_steps: int = 60
    mosaic: float = 0.3  # share of samples made of four pictures
    precision: str = "bf16"  # or fp32
    seed: int = 0
    threads: int | None = None
    cache: str = "decoded"  # or encoded: pictures in memory
    init: Path | None = None
    log_every: int = 25  # steps
    checkpoint_minutes: float = 5.0

    def __post_init__(self) -> None:
        if (self.pictures is None) == (self.budget_minutes is None):
            raise UsageError("give one of --pictures and --minutes: the schedule runs over it")
        if self.input_px <= 0 or self.input_px % 32:
            raise UsageError(f"--input-px: expected a multiple of 32, got {self.input_px}")
        if min(self.batch, self.log_every, self.pictures or 1) < 1:
            raise UsageError("--batch, --pictures and --log-every: expected numbers from 1 on")
        if not 0 < (self.budget_minutes or 1) < math.inf:
            raise UsageError(f"--minutes: expected more than 0, got {self.budget_minutes}")
        if not 0 <= self.mosaic <= 1:
            raise UsageError(f"--mosaic: expected a share from 0 to 1, got {self.mosaic}")
        if not 0 < self.lr < math.inf:
            raise UsageError(f"--lr: expected a rate above 0, got {self.lr}")
        if self.seed < 0 or self.warm_up_steps < 0:
            raise UsageError("--seed and --warm-up-steps: expected numbers from 0 on")
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"--threads: expected a number from 1 on, got {self.threads}")
        if self.precision not in ("bf16", "fp32") or self.cache not in CACHES:
            raise UsageError("--precision: expected bf16 or fp32; --cache: decoded or encoded")

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the training that is done before ``step`` (counted from 0)."""
        if self.pictures is not None:
            return min(1.0, step * self.batch / self.pictures)
        return min(1.0, elapsed_s / (60 * (self.budget_minutes or math.inf)))

    def rate(self, step: int, progress: float) -> float:
        """Factor on the learning rates: warm-up, then cosine or a constant."""
        warm = min(1.0, (step + 1) / max(1, self.warm_up_steps))
        cosine = 0.5 + 0.5 * math.cos(math.pi * progress) if self.decay else 1.0
        return warm * (LOWEST_RATE + (1 - LOWEST_RATE) * cosine)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in dataclasses.asdict(self).items()
        }

    def check_same(self, kept: dict[str, Any]) -> None:
        """Refuse to go on with a run that was another one.

        Raises
        ------
        UsageError
            Naming the first option that differs.
        """
        for name, value in self.to_json().items():
            if name not in FREE and kept.get(name) != value:
                raise UsageError(
                    f"--resume: the run was started with {name} {kept.get(name)}, not {value}; "
                    "give the same options, or a new --name and --init"
                )
