"""What became slower between two runs of ``livepose --benchmark --json``, told apart from noise.

    python -m benchmarks.compare OLD NEW [--limit PERCENT]

A figure is the median over the rounds of a run, its band the quartiles of those rounds. It became
slower when it is worse by more than the limit and the two bands do not touch: a machine that was
busy for a moment widens the band instead of raising an alarm.
"""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from livepose.cli import guarded
from livepose.errors import GateError, UsageError

LEAST_MS = 0.05
"""Stages that differ by less are not told apart: a timer and a cache miss make as much."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now: frames/s, of which more are better, or ms of a stage."""

    name: str
    old: Mapping[str, float]
    new: Mapping[str, float]
    limit: float

    @property
    def is_rate(self) -> bool:
        """Frames a second, of which more are better; others are milliseconds."""
        return self.name == "fps"

    @property
    def worse(self) -> float:
        """By which part the time of a frame or stage grew; negative: better."""
        old, new = self.old["median"], self.new["median"]
        if self.is_rate:
            old, new = new, old
        return new / old - 1 if old > 0 else 0.0

    @property
    def verdict(self) -> str:
        """``slower``, ``quicker`` or ``same``."""
        apart = self.old["q3"] < self.new["q1"] or self.new["q3"] < self.old["q1"]
        small = abs(self.new["median"] - self.old["median"]) < LEAST_MS and not self.is_rate
        if not apart or small or abs(self.worse) <= self.limit:
            return "same"
        return "slower" if self.worse > 0 else "quicker"


def read_figures(path: Path) -> dict[str, Any]:
    """The JSON of a run; UsageError when it is not one."""
    try:
        figures: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    spread = figures.get("spread") if isinstance(figures, dict) else None
    if not isinstance(spread, dict) or "fps" not in spread:
        raise UsageError(
            f"{path} has no figures with their spread; expected a file that "
            "'livepose --benchmark --json FILE' wrote"
        )
    return dict(figures)


def compare(old: Mapping[str, Any], new: Mapping[str, Any], limit: float) -> None:
    """Prints what changed of the figures that both have, and what else is not as it was.

    UsageError when the two were measured on different scenes, GateError when something became
    slower.
    """
    for what in ("scene", "size_wh"):
        if old.get(what) != new[what]:
            raise UsageError(
                f"the old figures are of {what} {old.get(what)}, these of {new[what]}; "
                "measure the same scene twice"
            )
    then, now = old["spread"], new["spread"]
    changes = [Change(name, then[name], now[name], limit) for name in now if name in then]
    console, machine = Console(), old.get("machine", {})
    console.print(_table(changes))
    for name, value in new["machine"].items():
        if name in machine and machine[name] != value:
            console.print(f"note: {name} was {machine[name]}, is {value}", highlight=False)
    slower = [f"{one.name} by {one.worse:.0%}" for one in changes if one.verdict == "slower"]
    if slower:
        raise GateError(
            f"slower than before by more than {limit:.0%}, beyond the noise of both runs: "
            + ", ".join(slower)
        )


def _table(changes: Sequence[Change]) -> Table:
    """Then, now, and what is to be thought of it."""
    shown = Table(title="since the earlier run (median over rounds, quartiles)")
    for name in ("figure", "then", "now", "time", "verdict"):
        shown.add_column(name, justify="left" if name in ("figure", "verdict") else "right")
    for one in changes:
        style, unit = "bold red" if one.verdict == "slower" else None, "" if one.is_rate else " ms"
        bands = [
            f"{figure['median']:.2f} [{figure['q1']:.2f}, {figure['q3']:.2f}]{unit}"
            for figure in (one.old, one.new)
        ]
        shown.add_row(one.name, *bands, f"{one.worse:+.0%}", one.verdict, style=style)
    return shown


def main(words: Sequence[str] | None = None) -> int:
    """The command line; exit code 6 when something became slower."""
    parser = ArgumentParser(prog="python -m benchmarks.compare", description="What became slower.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--limit", type=float, default=10.0, metavar="PERCENT")
    options = parser.parse_args(words)

    def run() -> int:
        compare(read_figures(options.old), read_figures(options.new), options.limit / 100)
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
