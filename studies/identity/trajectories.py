"""Who goes where: the kinds of scenes, each drawn anew from a seed.

A trajectory is where somebody's feet are at each time, in parts of the image's width; everything
else (how tall, how near, looking which way) stays as it was drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Random = np.random.Generator

OUTSIDE = 0.25
"""So far beyond the edge, in widths of the image, nothing of a person is seen."""


@dataclass(frozen=True)
class Trajectory:
    """One person's way: at ``times_s`` the feet are at ``places_x``, straight between.

    ``height`` is in parts of the image's; ``depth`` orders who hides whom, greater is nearer.
    """

    times_s: tuple[float, ...]
    places_x: tuple[float, ...]
    height: float = 0.6
    depth: float = 0.0
    mirrored: bool = False

    def x(self, time_s: float) -> float:
        """Where the feet are."""
        return float(np.interp(time_s, self.times_s, self.places_x))


@dataclass(frozen=True)
class Plan:
    """Everybody's trajectory, and a pillar (left, right) in parts of the width, if there is one."""

    trajectories: tuple[Trajectory, ...]
    pillar_x: tuple[float, float] | None = None


SECONDS = 6.0


def crossing(random: Random) -> Plan:
    """Two people meet and pass, one before the other."""
    return Plan((_through(random, True, 0.0), _through(random, False, 1.0)))


def groups(random: Random) -> Plan:
    """Two from each side pass through each other."""
    starts = (True, True, False, False)
    return Plan(tuple(_through(random, left, depth) for depth, left in enumerate(starts)))


def turn_back(random: Random) -> Plan:
    """Two people meet, stand half before each other, and go back where they came from."""
    meet, gap = random.uniform(0.4, 0.6), random.uniform(0.02, 0.07)
    at_s, stand_s = random.uniform(2.0, 2.6), random.uniform(0.0, 0.8)
    times_s = (0.0, at_s, at_s + stand_s, SECONDS)
    left, right = random.uniform(0.05, 0.15), random.uniform(0.85, 0.95)
    heights = random.uniform(0.55, 0.7, 2)
    return Plan((
        Trajectory(times_s, (left, meet - gap, meet - gap, left), heights[0], 0.0),
        Trajectory(times_s, (right, meet + gap, meet + gap, right), heights[1], 1.0, True),
    ))  # fmt: skip


def leave_and_return(random: Random) -> Plan:
    """Somebody leaves the image and comes back at the same side; somebody else stays."""
    away_s = random.uniform(0.5, 1.5)
    out_s = random.uniform(1.5, 2.0)
    start, stay = random.uniform(0.6, 0.8), random.uniform(0.2, 0.4)
    times_s = (0.0, out_s, out_s + away_s, SECONDS)
    goer = Trajectory(times_s, (start, 1.12, 1.12, start), random.uniform(0.55, 0.7), 1.0)
    places_x = (stay, stay + 0.05, stay)
    sway = Trajectory((0.0, 3.0, SECONDS), places_x, random.uniform(0.55, 0.7), 0.0)
    return Plan((goer, sway))


def pillar(random: Random) -> Plan:
    """One person walks behind a pillar and out again; another stops behind it and turns back."""
    middle, half = random.uniform(0.45, 0.55), random.uniform(0.09, 0.12)
    at_s, stand_s = random.uniform(1.8, 2.4), random.uniform(0.3, 0.8)
    left, right = random.uniform(0.05, 0.15), random.uniform(0.85, 0.95)
    through = Trajectory((0.0, SECONDS), (left, right), random.uniform(0.5, 0.6), 0.0)
    times_s = (0.0, at_s, at_s + stand_s, SECONDS)
    back = Trajectory(times_s, (right, middle, middle, right), random.uniform(0.6, 0.7), 1.0, True)
    return Plan((through, back), (middle - half, middle + half))


def crowd(random: Random) -> Plan:
    """Six people wander."""
    trajectories = []
    for depth in range(6):
        stops = random.integers(3, 5)
        places_x = random.uniform(0.08, 0.92, stops)
        height = 0.45 + 0.05 * depth
        mirrored = bool(random.random() < 0.5)
        times_s = tuple(np.linspace(0.0, SECONDS, stops))
        trajectories.append(Trajectory(times_s, tuple(places_x), height, depth, mirrored))
    return Plan(tuple(trajectories))


def _through(random: Random, from_left: bool, depth: float) -> Trajectory:
    """From one side to the other, not always at the same speed."""
    places_x = np.array([random.uniform(0.02, 0.2), random.uniform(0.4, 0.6), 0.9])
    times_s = (0.0, random.uniform(0.4, 0.6) * SECONDS, SECONDS)
    places_x = places_x if from_left else 1.0 - places_x
    return Trajectory(times_s, tuple(places_x), random.uniform(0.5, 0.7), depth, not from_left)


KINDS: dict[str, Callable[[Random], Plan]] = {
    "crossing": crossing,
    "groups": groups,
    "turn-back": turn_back,
    "leave-return": leave_and_return,
    "pillar": pillar,
    "crowd": crowd,
}
"""Scenes by name."""
