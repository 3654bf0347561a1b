"""The only place that opens matplotlib, without a display."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livepose.errors import SinkError, UsageError

WIDTH_INCHES = 4.0
HEIGHT_INCHES = 3.4
DOTS_PER_INCH = 150


def figure_with(panels: int, share_y: bool = True) -> tuple[Any, Sequence[Any]]:
    """A figure and its panels side by side; UsageError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "plots need the package matplotlib, which is not installed:"
            " pip install 'livepose[eval]'"
        ) from error
    figure = Figure(figsize=(WIDTH_INCHES * panels, HEIGHT_INCHES), layout="constrained")
    return figure, list(figure.subplots(1, panels, sharey=share_y, squeeze=False)[0])


def save(figure: Any, path: Path) -> None:
    """Writes the figure in the form that the ending of the name says."""
    try:
        figure.savefig(path, dpi=DOTS_PER_INCH)
    except (OSError, ValueError) as error:
        raise SinkError(f"{path} cannot be written as a plot: {error}") from error
