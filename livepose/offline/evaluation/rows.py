"""One line of a table: what was run, what it cost, how well it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from livepose.offline.evaluation.bootstrap import Interval
from livepose.offline.evaluation.cost import Cost
from livepose.offline.evaluation.speed import Speed

BACKBONES = {
    "hrnet_w32": "HRNet-W32",
    "hrnet_w48": "HRNet-W48",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
}
"""livepose's networks by the names that the published tables use."""


@dataclass(frozen=True)
class Row:
    """A measured configuration. ``figures`` are percent by column, NaN where not measured."""

    method: str
    backbone: str
    input_hw: tuple[int, int] | None
    figures: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    cost: Cost | None = None
    speed: Speed | None = None
    boxes: str = ""

    @property
    def input_size(self) -> str:
        """Height x width, as the published tables print it."""
        return "" if self.input_hw is None else f"{self.input_hw[0]}x{self.input_hw[1]}"

    @property
    def title(self) -> str:
        """Method and input size: no two rows of a table share both."""
        return f"{self.method} {self.input_size}".strip()

    def as_dict(self) -> dict[str, Any]:
        """For JSON; NaN is null."""
        return {
            "method": self.method,
            "backbone": self.backbone,
            "input_size_hw": self.input_size,
            "boxes": self.boxes,
            "params_m": number(self.cost.params_m if self.cost else None),
            "gflops": number(self.cost.gflops if self.cost else None),
            **{name: number(value) for name, value in self.figures.items()},
            "intervals_95": {
                name: [number(one.low), number(one.high)] for name, one in self.intervals.items()
            },
            "crops_per_s": number(self.speed.crops_per_s if self.speed else None, 1),
            "end_to_end_ms": number(self.speed.end_to_end_ms if self.speed else None),
        }


@dataclass(frozen=True)
class Difference:
    """``first`` minus ``second`` in one column, on the same pictures."""

    first: str
    second: str
    column: str
    points: float
    interval: Interval

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "column": self.column,
            "points": number(self.points),
            "interval_95": [number(self.interval.low), number(self.interval.high)],
        }

    def __str__(self) -> str:
        verdict = "" if self.interval.excludes_zero else " (not told apart)"
        return (
            f"{self.first} - {self.second}: {self.points:+.1f} {self.column.upper()}"
            f" {self.interval}{verdict}"
        )


def number(value: float | None, digits: int = 2) -> float | None:
    """Rounded, or None for what is not known."""
    if value is None or value != value:
        return None
    return round(float(value), digits)
