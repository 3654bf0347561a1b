"""What became slower since an earlier run, told apart from noise.

A figure is the median over the rounds of a run, its band the quartiles of those rounds. It became
slower when it is worse by more than the limit and the two bands do not touch: a machine that was
busy for a moment widens the band instead of raising an alarm.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from livepose.errors import GateError, UsageError

LEAST_MS = 0.05
"""Stages that differ by less are not told apart: a timer and a cache miss make as much."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure then and now; ``worse`` is the part by which it is worse (negative: better)."""

    name: str
    old: Mapping[str, float]
    new: Mapping[str, float]
    limit: float

    @property
    def higher_is_better(self) -> bool:
        """Frames a second are; milliseconds are not."""
        return self.name.endswith("fps")

    @property
    def worse(self) -> float:
        """By which part the time of a frame or stage grew."""
        old, new = self.old["median"], self.new["median"]
        if self.higher_is_better:
            old, new = new, old
        return new / old - 1 if old > 0 else 0.0

    @property
    def apart(self) -> bool:
        """Whether the two bands do not touch."""
        return self.old["q3"] < self.new["q1"] or self.new["q3"] < self.old["q1"]

    @property
    def verdict(self) -> str:
        """``slower``, ``quicker`` or ``same``."""
        small = abs(self.new["median"] - self.old["median"]) < LEAST_MS
        if not self.apart or (small and not self.higher_is_better):
            return "same"
        if self.worse > self.limit:
            return "slower"
        return "quicker" if self.worse < -self.limit else "same"


def read_figures(path: Path) -> dict[str, Any]:
    """The JSON of an earlier run.

    Raises
    ------
    UsageError
        When it is not one.
    """
    try:
        figures: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--compare: {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--compare: {path} is not JSON: {error}") from error
    spread = figures.get("spread") if isinstance(figures, dict) else None
    if not isinstance(spread, dict) or "fps" not in spread:
        raise UsageError(
            f"--compare: {path} has no figures with their spread; expected a file that "
            "'livepose --benchmark --json FILE' wrote"
        )
    return dict(figures)


def changes(old: Mapping[str, Any], new: Mapping[str, Any], limit: float) -> list[Change]:
    """Every figure that both runs have."""
    then, now = old["spread"], new["spread"]
    return [Change(name, then[name], now[name], limit) for name in now if name in then]


def compare(old: Mapping[str, Any], new: Mapping[str, Any], limit: float) -> None:
    """Prints what changed.

    Raises
    ------
    UsageError
        When the two were measured on different scenes.
    GateError
        When something became slower.
    """
    for what in ("scene", "size_wh"):
        if list_or_value(old.get(what)) != list_or_value(new[what]):
            raise UsageError(
                f"--compare: the old figures are of {what} {old.get(what)}, these of {new[what]}; "
                "measure the same scene twice"
            )
    console = Console()
    found = changes(old, new, limit)
    console.print(table(found))
    for note in differences(old.get("machine", {}), new["machine"]):
        console.print(f"note: {note}", highlight=False)
    require_no_slower(found, limit)


def require_no_slower(found: list[Change], limit: float) -> None:
    """Raises GateError when something became slower."""
    slower = [f"{one.name} by {one.worse:.0%}" for one in found if one.verdict == "slower"]
    if slower:
        raise GateError(
            f"slower than before by more than {limit:.0%}, beyond the noise of both runs: "
            + ", ".join(slower)
        )


def list_or_value(value: Any) -> Any:
    """JSON has lists where Python has tuples."""
    return list(value) if isinstance(value, tuple) else value


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What else is not as it was, for whoever wonders why."""
    return [
        f"{name} was {old[name]}, is {value}"
        for name, value in new.items()
        if name in old and old[name] != value
    ]


def table(found: list[Change]) -> Table:
    """Then, now, and what is to be thought of it."""
    shown = Table(title="since the earlier run (median over rounds, quartiles)")
    for name in ("figure", "then", "now", "time", "verdict"):
        shown.add_column(name, justify="left" if name in ("figure", "verdict") else "right")
    for one in found:
        unit = "" if one.higher_is_better else " ms"
        shown.add_row(
            one.name,
            band(one.old) + unit,
            band(one.new) + unit,
            f"{one.worse:+.0%}",
            one.verdict,
            style="bold red" if one.verdict == "slower" else None,
        )
    return shown


def band(figure: Mapping[str, float]) -> str:
    """``12.3 [11.9, 12.8]``."""
    return f"{figure['median']:.2f} [{figure['q1']:.2f}, {figure['q3']:.2f}]"
