"""Digits as strokes, for numbers that are painted like limbs: smooth, sub-pixel, at any size.

A digit is a set of open lines in a box ``WIDTH`` wide and 1 tall, y upwards from its foot.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH = 0.6
"""Of a digit, in its heights."""
STEP = 0.86
"""From one digit to the next, in its heights."""
_ARC_POINTS = 11


def _arc(centre_xy: tuple[float, float], radii: tuple[float, float], turn_deg: Floats) -> Floats:
    angles = np.deg2rad(turn_deg)
    return np.stack(
        [centre_xy[0] + radii[0] * np.cos(angles), centre_xy[1] + radii[1] * np.sin(angles)], axis=1
    )


def _from_to(first_deg: float, last_deg: float) -> Floats:
    return np.linspace(first_deg, last_deg, _ARC_POINTS)


def _round(centre_xy: tuple[float, float], radii: tuple[float, float]) -> Floats:
    return _arc(centre_xy, radii, np.linspace(0.0, 360.0, 2 * _ARC_POINTS))


def _line(*points_xy: tuple[float, float]) -> Floats:
    return np.array(points_xy)


def _shapes() -> list[list[Floats]]:
    """The lines of each digit."""
    two = np.concatenate(
        [_arc((0.3, 0.7), (0.3, 0.3), _from_to(170, -38)), _line((0, 0), (0.6, 0))]
    )
    three = np.concatenate(
        [
            _arc((0.28, 0.755), (0.26, 0.245), _from_to(150, -90)),
            _arc((0.28, 0.265), (0.3, 0.265), _from_to(80, -150)),
        ]
    )
    five = np.concatenate(
        [
            _line((0.54, 1.0), (0.1, 1.0), (0.06, 0.52)),
            _arc((0.27, 0.32), (0.32, 0.32), _from_to(128, -145)),
        ]
    )
    stem = _arc((0.6, 0.31), (0.6, 0.72), _from_to(180, 105))
    six = [_round((0.3, 0.31), (0.3, 0.31)), stem]
    return [
        [_round((0.3, 0.5), (0.29, 0.5))],
        [_line((0.1, 0.8), (0.36, 1.0), (0.36, 0.0))],
        [two],
        [three],
        [_line((0.46, 0.0), (0.46, 1.0), (0.0, 0.3), (0.6, 0.3))],
        [five],
        six,
        [_line((0.0, 1.0), (0.6, 1.0), (0.2, 0.0))],
        [_round((0.3, 0.755), (0.25, 0.245)), _round((0.3, 0.265), (0.3, 0.265))],
        [np.array([WIDTH, 1.0]) - part for part in six],
    ]


def strokes() -> tuple[Floats, NDArray[np.int64]]:
    """Every stroke as x, y to x, y, (N, 4), and where those of each digit begin, (11,)."""
    pieces, begins = [], [0]
    for shape in _shapes():
        pieces += [np.concatenate([line[:-1], line[1:]], axis=1) for line in shape]
        begins.append(sum(len(piece) for piece in pieces))
    return np.concatenate(pieces), np.array(begins, dtype=np.int64)
