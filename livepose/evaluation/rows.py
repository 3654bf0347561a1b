"""One line of a table: what was run, what it cost, how well it did."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.evaluation.bootstrap import (
    INTERVALS_BELOW_PEOPLE,
    Interval,
    paired_interval,
    percentile_interval,
)
from livepose.evaluation.cost import Cost
from livepose.evaluation.speed import Speed

Samples = Mapping[str, NDArray[np.float64]]

BACKBONES = {
    "hrnet_w32": "HRNet-W32",
    "hrnet_w48": "HRNet-W48",
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "resnet152": "ResNet-152",
}
"""livepose's networks by the names that the published tables use."""


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


@dataclass(frozen=True)
class Row:
    """A measured configuration. ``figures`` are percent by column, NaN where not measured;
    ``runtime`` is name, device and precision of what ran the network; ``minus_first`` says how far
    it is from the first row of the same network.
    """

    method: str
    backbone: str
    input_hw: tuple[int, int] | None
    figures: Mapping[str, float]
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    cost: Cost | None = None
    speed: Speed | None = None
    boxes: str = ""
    runtime: str = ""
    minus_first: Difference | None = None

    @property
    def network(self) -> tuple[str, str]:
        """What rows of one network share."""
        return self.method.split(",")[0], self.input_size

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
            "runtime": self.runtime,
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
class Scored:
    """A row with its figures, and each of its columns for every resample of pictures."""

    row: Row
    samples: Samples


def scored(row: Row, figures: Mapping[str, float], samples: Samples, people: int) -> Scored:
    """The row with figures, and with their intervals where they come from few people."""
    shown = samples if people < INTERVALS_BELOW_PEOPLE else {}
    intervals = {name: percentile_interval(values) for name, values in shown.items()}
    return Scored(replace(row, figures=figures, intervals=intervals), samples)


def difference(first: Scored, second: Scored, column: str) -> Difference:
    """How much better the first row is in that column, with its paired interval."""
    points = first.row.figures[column] - second.row.figures[column]
    interval = paired_interval(first.samples[column], second.samples[column])
    return Difference(first.row.title, second.row.title, column, points, interval)


def against(reference: Scored, one: Scored, column: str) -> Row:
    """The row, told how far it is from the reference unless it is the reference itself."""
    if one is reference:
        return one.row
    return replace(one.row, minus_first=difference(one, reference, column))


def number(value: float | None, digits: int = 2) -> float | None:
    """Rounded, or None for what is not known."""
    if value is None or value != value:
        return None
    return round(float(value), digits)
