"""Known camera paths: how a photograph lies in the picture at each time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

View = tuple[float, float, float, float]
"""Shift along x and y in parts of the picture's longer side, zoom, turn in degrees."""

REST: View = (0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class CameraMove:
    """A path of the camera by name, and the view that it has at a time in seconds."""

    name: str
    view: Callable[[float], View]

    def matrices(self, times_s: Floats, size_wh: tuple[int, int], scale: float) -> Floats:
        """Affine maps (T, 2, 3) from the photograph to the picture.

        At rest the photograph is enlarged by ``scale`` and fills the picture of ``size_wh``.
        """
        return np.stack([_matrix(self.view(float(time)), size_wh, scale) for time in times_s])


def _matrix(view: View, size_wh: tuple[int, int], scale: float) -> Floats:
    shift_x, shift_y, zoom, turn_deg = view
    angle, longer = np.deg2rad(turn_deg), max(size_wh)
    linear = (
        zoom * scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    )
    middle = (np.array(size_wh) - 1) / 2
    photograph_middle = (np.array(size_wh) / scale - 1) / 2
    shift = np.array([shift_x, shift_y]) * longer
    offset = middle + shift - linear @ photograph_middle
    return np.column_stack([linear, offset])


def apply(matrices: Floats, points_xy: Floats) -> Floats:
    """Points (N, 2) under each of the maps (T, 2, 3): (T, N, 2)."""
    moved = np.einsum("tij,nj->tni", matrices[:, :, :2], points_xy)
    return np.asarray(moved + matrices[:, None, :, 2])


def undo(matrices: Floats, points_xy: Floats) -> Floats:
    """Points (T, N, 2), each picture's own, back in the photograph."""
    inverse = np.linalg.inv(matrices[:, :, :2])
    return np.asarray(np.einsum("tij,tnj->tni", inverse, points_xy - matrices[:, None, :, 2]))


def _still(time_s: float) -> View:
    return REST


def _pan(time_s: float) -> View:
    turn = 2 * np.pi * time_s
    return 0.12 * np.sin(0.45 * turn), 0.04 * np.sin(0.3 * turn), 1.0, 0.0


def _zoom(time_s: float) -> View:
    return 0.0, 0.0, 1.0 + 0.2 * np.sin(2 * np.pi * 0.4 * time_s), 0.0


def _turn(time_s: float) -> View:
    return 0.0, 0.0, 1.0, 10.0 * np.sin(2 * np.pi * 0.5 * time_s)


def _wave(time_s: float) -> View:
    """To and fro twice a second, as a hand that waves."""
    return 0.06 * np.sin(2 * np.pi * 2.0 * time_s), 0.0, 1.0, 0.0


STOPS = ((0.0, 0.0), (0.18, 0.0), (0.1, 0.08), (-0.15, 0.0), (-0.1, -0.08), (0.12, 0.0), (0.0, 0.0))
MOVE_S, STAY_S = 0.3, 0.5


def _stop_and_go(time_s: float) -> View:
    """Moves of ``MOVE_S`` between the stops, as an arm does them, with a stay after each.

    Each move follows the minimum-jerk profile (Flash and Hogan, J. Neuroscience 5, 1985).
    """
    leg, since_s = divmod(time_s, MOVE_S + STAY_S)
    start, end = STOPS[int(leg) % len(STOPS)], STOPS[(int(leg) + 1) % len(STOPS)]
    part = max(0.0, min(1.0, (since_s - STAY_S) / MOVE_S))
    share = part**3 * (10 - 15 * part + 6 * part**2)
    x, y = (a + (b - a) * share for a, b in zip(start, end, strict=True))
    return x, y, 1.0, 0.0


MOVES = {
    move.name: move
    for move in (
        CameraMove("still", _still),
        CameraMove("pan", _pan),
        CameraMove("zoom", _zoom),
        CameraMove("turn", _turn),
        CameraMove("wave", _wave),
        CameraMove("stop-and-go", _stop_and_go),
    )
}
"""The paths by name."""
