"""Positions, speeds and angles over time, with their uncertainty, on one page."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.results.motion_files import LONGEST_GAP_S, median_rate_hz
from livepose.results.reading import Results
from livepose.results.tables import Table
from livepose.sinks.files import as_utf8, write_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]

_SUFFIXES = (".png", ".pdf", ".html")
_MOST_PEOPLE = 3
_SHORTEST_S = 0.2
"""Whoever was seen for less is not shown unless asked for."""
_BAND_SIGMAS = 2.0
_SPEED_OVER_S = 0.1
"""Speeds are slopes of lines through so much time around each moment, or three frames."""
_POSITIONS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle")
_ANGLES = (
    ("left_knee", "right_knee", "left_hip", "right_hip"),
    ("left_elbow", "right_elbow", "left_shoulder", "right_shoulder"),
)
_LABELS = ("x (px)", "y (px)", "speed (px/s)", "knee, hip (°)", "elbow, shoulder (°)")
_COLOURS = {"left": "#0072b2", "right": "#d55e00"}  # told apart by everybody


@dataclass(frozen=True)
class Series:
    """A value over time with its standard deviation."""

    name: str
    time_s: Array
    value: Array
    sigma: Array


def draw_page(results: Results, ids: Sequence[int] = ()) -> "Figure":
    """One column for each person: x, y, speed, and two rows of angles.

    ``ids`` says who is shown; those who were seen for longest unless given. DataError when nobody
    was followed, UsageError for somebody who is not there.
    """
    from matplotlib.figure import Figure

    people = _chosen_ids(results, ids)
    figure = Figure(figsize=(1.5 + 5.5 * len(people), 12), layout="constrained")
    axes = figure.subplots(len(_LABELS), len(people), squeeze=False, sharex="col")
    keypoints, angles = results.keypoints(), results.angles()
    ends = [name for name in _POSITIONS if name in results.skeleton.keypoints]
    for column, person in zip(axes.T, people, strict=True):
        x, y = ([series(keypoints, person, name, at) for name in ends] for at in "xy")
        speeds = [speed(*pair) for pair in zip(x, y, strict=True)]
        turns = ([series(angles, person, name, "deg") for name in names] for names in _ANGLES)
        for axis, several in zip(column, (x, y, speeds, *turns), strict=True):
            _draw(axis, several)
        column[1].invert_yaxis()  # y goes down in an image
        column[2].set_ylim(bottom=0.0)
        column[0].set_title(f"person {person}")
        column[-1].set_xlabel("time (s)")
    for row, label in zip(axes, _LABELS, strict=True):
        row[0].set_ylabel(label)
        row[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    source = Path(str(results.header.get("source", ""))).name
    figure.suptitle(f"{source}   (bands: {_BAND_SIGMAS:g} standard deviations)", fontsize=10)
    return figure


def _chosen_ids(results: Results, ids: Sequence[int]) -> list[int]:
    known = results.ids
    if not known:
        source = results.header.get("source")
        raise DataError(f"{source}: nobody was followed there, so there is nothing to plot")
    unknown = [one for one in ids if one not in known]
    if unknown:
        raise UsageError(f"nobody has the id {unknown[0]}; there are {', '.join(map(str, known))}")
    times_s = {one: results.time_s[results.poses.track_ids == one] for one in known}
    longest = [one for one in known if np.ptp(times_s[one]) >= _SHORTEST_S] or known[:1]
    return list(ids) or sorted(longest[:_MOST_PEOPLE])


def _draw(axis: "Axes", several: Sequence[Series]) -> None:
    """Lines with their bands, broken where there is nothing; they fill the plot, bands are cut."""
    axis.margins(x=0, y=0.15)
    axis.grid(alpha=0.3)
    bands = []
    for place, one in enumerate(several):
        gaps = np.flatnonzero(np.diff(one.time_s) > LONGEST_GAP_S) + 1
        time_s, value, sigma = (
            np.insert(values.astype(float), gaps, np.nan)
            for values in (one.time_s, one.value, one.sigma)
        )
        label = one.name.replace("_", " ")
        colour, dash = _COLOURS[label.partition(" ")[0]], "-" if place < 2 else "--"
        axis.plot(time_s, value, dash, color=colour, lw=1.1, label=label)
        there = np.concatenate(([False], np.isfinite(value), [False]))
        alone = there[1:-1] & ~there[:-2] & ~there[2:]  # no line shows these
        axis.plot(time_s[alone], value[alone], ".", color=colour)
        reach = _BAND_SIGMAS * sigma
        bands.append((time_s, value - reach, value + reach, colour))
    axis.set_ylim(axis.get_ylim())  # from here on it stays
    for time_s, lowest, highest, colour in bands:
        axis.fill_between(time_s, lowest, highest, color=colour, alpha=0.1, lw=0)


def series(table: Table, person: int, name: str, value: str) -> Series:
    """One keypoint's x or y, or one angle's deg, of one person."""
    is_angle = value == "deg"
    mine = (table["id"] == person) & (table["angle" if is_angle else "keypoint"] == name)
    sigma = table["sigma_deg"] if is_angle else np.sqrt(np.maximum(table[f"cov_{value * 2}"], 0.0))
    return Series(name, table["time_s"][mine], table[value][mine], sigma[mine])


def speed(x: Series, y: Series) -> Series:
    """How fast a keypoint moves: slopes over a tenth of a second, with their deviation."""
    (vx, sx), (vy, sy) = _slopes(x), _slopes(y)
    value = np.hypot(vx, vy)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.where(value > 0, np.hypot(vx * sx, vy * sy) / value, np.hypot(sx, sy))
    return Series(x.name, x.time_s, value, sigma)


def _slopes(series: Series) -> tuple[Array, Array]:
    """Slope of the line of least squares through the values around each, and its deviation."""
    times_s = series.time_s
    half_s = max(_SPEED_OVER_S / 2, 1.0 / median_rate_hz(times_s)) + 1e-9
    first, behind = np.searchsorted(times_s, [times_s - half_s, times_s + half_s])
    slope, sigma = np.full((2, len(times_s)), np.nan)
    known = np.isfinite(series.value)
    for index in np.flatnonzero(known):
        near = np.arange(first[index], behind[index])
        near = near[known[near]]
        weights = times_s[near] - times_s[near].mean()
        if (spread := weights @ weights) > 0:
            slope[index] = weights @ series.value[near] / spread
            sigma[index] = np.linalg.norm(weights * np.nan_to_num(series.sigma[near])) / spread
    return slope, sigma


def check_suffix(path: Path) -> None:
    """Refuses what is no kind of page."""
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{path}: expected a name that ends with {', '.join(_SUFFIXES)}")


def save_page(figure: "Figure", path: Path, title: str) -> None:
    """Writes PNG, PDF or HTML (with the plot inside, without scripts), as the suffix says.

    The bytes are the same for the same results.
    """
    form, file = path.suffix.lower()[1:], io.BytesIO()
    metadata = {"CreationDate": None} if form == "pdf" else None
    figure.savefig(file, format=form.replace("html", "png"), dpi=120, metadata=metadata)
    data = file.getvalue()
    if form == "html":
        said, image = html.escape(title), base64.b64encode(data).decode()
        data = as_utf8(
            f'<!doctype html><meta charset="utf-8"><title>{said}</title>\n'
            f'<img alt="{said}" style="max-width:100%" src="data:image/png;base64,{image}">\n'
        )
    write_output(path, data)
