"""The kernels against slow, plain NumPy twins."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livepose.drawing._kernels import paint_capsule, paint_ellipse, paint_panel, scratch_for

Floats = NDArray[np.float64]
SIZE_HW = (40, 56)
places = st.integers(-30 * 256, 80 * 256).map(lambda steps: steps / 256)
"""Apart or the same: a line shorter than a thousandth of a pixel is a disc."""


def grid() -> tuple[Floats, Floats]:
    ys, xs = np.mgrid[: SIZE_HW[0], : SIZE_HW[1]].astype(np.float64)
    return xs, ys


def blend(image: Floats, colour: Floats, opacity: Floats) -> Floats:
    return np.asarray(image + (colour - image) * opacity[..., None])


def capsule_twin(image: Floats, ends: Floats, radius: float, edge: float, ab: Floats) -> Floats:
    """Distance to the whole segment, of every pixel, without any clipping."""
    xs, ys = grid()
    delta = ends[2:] - ends[:2]
    length2 = float(delta @ delta)
    t = ((xs - ends[0]) * delta[0] + (ys - ends[1]) * delta[1]) / (length2 or 1.0)
    t = np.clip(t, 0.0, 1.0)
    distance = np.hypot(xs - ends[0] - t * delta[0], ys - ends[1] - t * delta[1])
    fill = np.clip(radius - distance + 0.5, 0.0, min(1.0, 2 * radius))
    outer = np.clip(radius + edge - distance + 0.5, 0.0, 1.0)
    opacity = ab[0] + t * (ab[1] - ab[0])
    colour = np.array([200.0, 90.0, 30.0])
    rimmed = blend(image, 0.1 * colour, np.clip(outer - fill, 0, 1) * 0.75 * opacity)
    return blend(rimmed, colour, fill * opacity)


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(places, places, places, places),
    st.floats(0.3, 9.0),
    st.floats(0.0, 2.0),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@example((20.0, 9.0, 20.0, 9.0), 4.0, 1.0, (0.5, 0.5))
def test_a_capsule_is_the_distance_to_its_line(
    ends: tuple[float, float, float, float],
    radius: float,
    edge: float,
    ab: tuple[float, float],
) -> None:
    image = np.full((*SIZE_HW, 3), 120, dtype=np.uint8)
    wanted = capsule_twin(image.astype(np.float64), np.array(ends), radius, edge, np.array(ab))
    widths, colour = (radius, edge), (200.0, 90.0, 30.0)
    paint_capsule(image, scratch_for(SIZE_HW[1]), ends[:2], ends[2:], widths, ab, colour)
    assert np.abs(image - wanted).max() < 2.5  # two shares in 256 steps, and a rounding


@settings(max_examples=60, deadline=None)
@given(places, places, st.floats(2, 12), st.floats(2, 12), st.floats(-0.8, 0.8))
@example(1.5, 0.0, 6.75, 2.0, 0.75)
def test_an_ellipse_is_full_on_its_line_and_empty_beyond(
    x: float, y: float, wide: float, tall: float, tilt: float
) -> None:
    image = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    covariance = np.array([[wide**2, tilt * wide * tall], [tilt * wide * tall, tall**2]])
    colour = 0.0, 0.0, 250.0
    flat = covariance[0, 0], covariance[0, 1], covariance[1, 1]
    paint_ellipse(image, (x, y), flat, 0.8, (1.0, 0.0), colour)
    angles = np.linspace(0, 2 * np.pi, 400)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    on_line = (np.linalg.cholesky(covariance) @ circle).T + np.array([x, y])
    xs, ys = grid()
    gaps = np.hypot(xs[..., None] - on_line[:, 0], ys[..., None] - on_line[:, 1]).min(axis=2)
    assert (image[gaps < 0.15, 2] >= 240).all()
    # The distance is one of first order: past the tips of the thinnest of these, 2.55 px were seen.
    assert (image[gaps > 2.8] == 0).all()


@settings(max_examples=40, deadline=None)
@given(places, places, st.floats(4, 40), st.floats(4, 30), st.floats(0.0, 2.0))
def test_a_panel_is_a_rectangle_with_its_corners_cut(
    left: float, top: float, wide: float, tall: float, radius: float
) -> None:
    image = np.zeros((*SIZE_HW, 3), dtype=np.uint8)
    edges_px = left, top, left + wide, top + tall
    paint_panel(image, edges_px, radius, 1.0, (250.0, 0.0, 0.0))
    xs, ys = grid()
    out_x = np.abs(xs - left - wide / 2) - (wide / 2 - radius)
    out_y = np.abs(ys - top - tall / 2) - (tall / 2 - radius)
    outside = np.hypot(np.maximum(out_x, 0), np.maximum(out_y, 0))
    distance = outside + np.minimum(np.maximum(out_x, out_y), 0) - radius
    wanted = 250 * np.clip(0.5 - distance, 0, 1)
    assert np.abs(image[..., 0] - wanted).max() < 2.5
