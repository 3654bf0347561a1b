"""The figures as tables in Markdown, each preset's price in a sentence, and jitter against lag."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from livepose.evaluation.report import figure_with, markdown_table, save
from studies.jitter.curves import UNAWARE, Point, at_equal
from studies.jitter.measures import Measures

FIGURES = {
    "lag_ms": "lag in motion, ms",
    "error_percent": "error in motion, RMS, % of body size",
}
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
    cells = [
        [name, *(f"{getattr(one, key):.{digits}f}" for key, (_, digits) in COLUMNS.items())]
        for name, one in rows.items()
    ]
    return markdown_table([first, *(heading for heading, _ in COLUMNS.values())], cells)


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
    cells = [
        [f"{1e3 * late_s:.0f}", f"{off:.2f}", f"{ahead:.2f}", f"{100 * (ahead / off - 1):+.0f} %"]
        for late_s, off, ahead in rows
    ]
    headings = ("latency ms", "error shown, % of body", "with --predict", "")
    return markdown_table(headings, cells, 0)


def plot(points: Sequence[Point], presets: Mapping[str, Measures], path: Path) -> None:
    """Draws trembling at rest against lag, and against the whole error, in motion."""
    figure, panels = figure_with(2)
    for axes, (name, label) in zip(panels, FIGURES.items(), strict=True):
        for curve in dict.fromkeys(point.curve for point in points):
            own = [point.measures for point in points if point.curve == curve]
            own.sort(key=lambda one: getattr(one, name))
            x = [getattr(one, name) for one in own]
            axes.plot(x, [one.tremble_percent for one in own], marker=".", label=curve)
        for preset, one in presets.items():
            if preset != "one-euro":
                at = getattr(one, name), one.tremble_percent
                axes.plot(*at, "k.", markersize=9, zorder=3)
                axes.annotate(preset, at, xytext=(6, 4), textcoords="offset points", fontsize=8)
        axes.set_xlabel(label)
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("trembling at rest, RMS, % of body size", fontsize=9)
    panels[0].legend(fontsize=7)
    save(figure, path)
