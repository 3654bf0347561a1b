"""The figures as tables in Markdown, and each preset's price in a sentence."""

from collections.abc import Mapping, Sequence

from studies.jitter.curves import UNAWARE, Point, at_equal
from studies.jitter.measures import Measures

COLUMNS = {
    "tremble_px": ("trembling px", 2),
    "tremble_percent": ("% of body", 3),
    "shake_px_s2": ("shaking px/s²", 0),
    "lag_ms": ("lag ms", 1),
    "error_px": ("error px", 2),
    "error_percent": ("% of body", 2),
    "error_p95_percent": ("p95 %", 2),
    "rough_percent": ("less lag %", 2),
}


def table(rows: Mapping[str, Measures], first: str) -> str:
    """One row a filter or keypoint."""
    names = [heading for heading, _ in COLUMNS.values()]
    lines = [f"| {first} | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}"]
    for name, one in rows.items():
        cells = [f"{getattr(one, key):.{digits}f}" for key, (_, digits) in COLUMNS.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def costs(rows: Mapping[str, Measures]) -> list[str]:
    """What each filter adds and removes, against none."""
    none = rows["none"]
    return [
        f"{name}: adds {one.lag_ms - none.lag_ms:.0f} ms, removes"
        f" {none.tremble_px - one.tremble_px:.2f} of {none.tremble_px:.2f} px"
        f" ({100 * (1 - one.tremble_px / none.tremble_px):.0f} % of the trembling)"
        for name, one in rows.items()
        if name != "none"
    ]


def verdicts(points: Sequence[Point], rows: Mapping[str, Measures]) -> list[str]:
    """What the curves say: against One Euro as it was set, and what the covariance is worth."""
    euro, none, ours = rows["one-euro"], rows["none"], rows["balanced"]
    calm = at_equal(points, "livepose", "lag_ms", "tremble_percent", euro.lag_ms)
    quick = at_equal(points, "livepose", "tremble_percent", "lag_ms", euro.tremble_percent)
    blind = at_equal(points, UNAWARE, "lag_ms", "tremble_percent", ours.lag_ms)
    sooner = (quick - none.lag_ms) / (euro.lag_ms - none.lag_ms)
    return [
        f"at One Euro's lag: {_less(calm / euro.tremble_percent)} trembling",
        f"at One Euro's trembling: {_less(sooner)} added lag",
        f"the covariance alone, at balanced's lag: {_less(ours.tremble_percent / blind)} trembling",
    ]


def _less(ratio: float) -> str:
    return f"{100 * (1 - ratio):.0f} % less" if ratio == ratio else "beyond the curve, no"


def ahead_table(rows: Sequence[tuple[float, float, float]]) -> str:
    """Latency in ms, error without and with prediction in % of body size."""
    lines = [
        "| latency ms | error shown, % of body | with --predict | |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for latency_s, without, with_it in rows:
        change = 100 * (with_it / without - 1)
        lines.append(f"| {1e3 * latency_s:.0f} | {without:.2f} | {with_it:.2f} | {change:+.0f} % |")
    return "\n".join(lines)
