"""Kernels that keep a list of shapes, and paint them in its order: capsules, ellipses, panels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.compiled import njit
from livepose.drawing._capsule_kernels import Colour, Scratch, paint_capsule
from livepose.drawing._kernels import paint_ellipse, paint_panel
from livepose.frame import ImageBgr

Floats = NDArray[np.float64]
Shapes = tuple[Floats, NDArray[np.int64]]
"""A row for each shape, and how many there are, (1,). A row: five numbers for where it is, two
widths, two opacities, blue, green, red, and its kind."""
Pair = tuple[float, float]

CAPSULE, ELLIPSE, PANEL = 0.0, 1.0, 2.0
COLUMNS = 13


@njit(cache=True, nogil=True, error_model="numpy")
def room_for(most: int) -> Shapes:
    """An empty list with room for so many shapes."""
    return np.zeros((most, COLUMNS)), np.zeros(1, np.int64)


@njit(cache=True, nogil=True, error_model="numpy")
def _add(shapes: Shapes, kind: float, widths: Pair, opacities: Pair, colour: Colour) -> Any:
    """A new row, in which only its place is still to be told."""
    table, count = shapes
    row = table[count[0]]
    count[0] += 1
    row[5], row[6] = widths
    row[7], row[8] = opacities
    row[9], row[10], row[11] = colour
    row[12] = kind
    return row


@njit(cache=True, nogil=True, error_model="numpy")
def add_capsule(
    shapes: Shapes, start_xy: Pair, end_xy: Pair, widths: Pair, opacities: Pair, colour: Colour
) -> None:
    """A line as ``paint_capsule`` paints it."""
    row = _add(shapes, CAPSULE, widths, opacities, colour)
    row[0], row[1] = start_xy
    row[2], row[3] = end_xy


@njit(cache=True, nogil=True, error_model="numpy")
def add_ellipse(
    shapes: Shapes,
    centre_xy: Pair,
    covariance: tuple[float, float, float],
    half_width_px: float,
    opacities: Pair,
    colour: Colour,
) -> None:
    """An ellipse as ``paint_ellipse`` paints it."""
    row = _add(shapes, ELLIPSE, (half_width_px, 0.0), opacities, colour)
    row[0], row[1] = centre_xy
    row[2], row[3], row[4] = covariance


@njit(cache=True, nogil=True, error_model="numpy")
def add_panel(
    shapes: Shapes,
    edges_px: tuple[float, float, float, float],
    radius_px: float,
    opacity: float,
    colour: Colour,
) -> None:
    """A panel as ``paint_panel`` paints it."""
    row = _add(shapes, PANEL, (radius_px, 0.0), (opacity, 0.0), colour)
    row[0], row[1], row[2], row[3] = edges_px


@njit(cache=True, nogil=True, error_model="numpy")
def paint_list(image: ImageBgr, scratch: Scratch, shapes: Shapes) -> None:
    """Paints all shapes, the first one first, and leaves the list empty."""
    table, count = shapes
    for n in range(count[0]):
        a, b, c, d, e, width, rim, strong, other, blue, green, red, kind = table[n]
        if kind == CAPSULE:
            widths, opacities, colour = (width, rim), (strong, other), (blue, green, red)
            paint_capsule(image, scratch, (a, b), (c, d), widths, opacities, colour)
        elif kind == ELLIPSE:
            paint_ellipse(image, (a, b), (c, d, e), width, (strong, other), (blue, green, red))
        else:
            paint_panel(image, a, b, c, d, width, strong, blue, green, red)
    count[0] = 0
