"""Skeletons on images: what is painted where, and what can never go wrong."""

from dataclasses import replace

import numpy as np
import pytest
from drawing.people import of_points, standing
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livepose.drawing import draw_poses, palette
from livepose.drawing._kernels import paint_capsules
from livepose.poses import KeypointState, Poses
from livepose.weights.calibration import RADII

Image = NDArray[np.uint8]


def grey(height: int = 240, width: int = 320, value: int = 128) -> Image:
    return np.full((height, width, 3), value, dtype=np.uint8)


def changed(image: Image, value: int = 128) -> NDArray[np.bool_]:
    return np.asarray((image != value).any(axis=2))


places = st.integers(-30 * 256, 80 * 256).map(lambda steps: steps / 256)
"""Apart or the same: a line shorter than a thousandth of a pixel is a disc."""


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(places, places, places, places),
    st.floats(0.3, 9.0),
    st.floats(0.0, 2.0),
    st.sampled_from([0.0, 7.0]),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@example((20.0, 9.0, 20.0, 9.0), 4.0, 1.0, 0.0, (0.5, 0.5))
def test_a_capsule_is_the_distance_to_its_line(
    ends: tuple[float, ...], radius: float, rim: float, hole: float, opacities: tuple[float, float]
) -> None:
    image, colour = grey(40, 56, 120), np.array([200.0, 90.0, 30.0])
    shape = [*ends, radius, hole, rim, *opacities, *colour]
    paint_capsules(image, np.array([shape]))
    pixels = np.stack(np.mgrid[:40, :56][::-1], axis=-1).astype(float)
    start, step = np.array(ends[:2]), np.subtract(ends[2:], ends[:2])
    t = np.clip((pixels - start) @ step / (step @ step or 1.0), 0, 1)[..., None]
    distance = np.abs(np.linalg.norm(pixels - start - t * step, axis=2, keepdims=True) - hole)
    fill = np.clip(radius - distance + 0.5, 0, min(1.0, 2 * radius))
    edge = np.clip(radius + rim - distance + 0.5, 0, 1) - fill
    opacity = opacities[0] + t * (opacities[1] - opacities[0])
    wanted = 120 + (0.1 * colour - 120) * 0.75 * np.maximum(edge, 0) * opacity
    wanted += (colour - wanted) * fill * opacity
    assert np.abs(image - wanted).max() < 2.5  # two shares in 256 steps, and a rounding


def test_the_left_and_the_right_of_a_person_have_colours_of_their_own() -> None:
    image = draw_poses(grey(480, 640), standing([(220, 40, 420, 440)]))
    poses = standing([(220, 40, 420, 440)])
    left_shin = poses.keypoints_xy[0, [13, 15]].mean(axis=0).round().astype(int)
    right_shin = poses.keypoints_xy[0, [14, 16]].mean(axis=0).round().astype(int)
    left = image[left_shin[1], left_shin[0]].astype(int)
    right = image[right_shin[1], right_shin[0]].astype(int)
    wanted = palette.track_colours_bgr(1)
    assert np.abs(left - right).max() > 60
    assert np.abs(left - wanted[palette.LEFT]).max() < 60
    assert np.abs(right - wanted[palette.RIGHT]).max() < 60


def test_keypoints_below_the_threshold_are_left_out() -> None:
    poses = standing([(100, 20, 200, 220)], score=0.3)
    assert not changed(draw_poses(grey(), poses, score_threshold=0.31)).any()
    assert changed(draw_poses(grey(), poses, score_threshold=0.29)).any()


def test_a_keypoint_that_is_not_there_leaves_no_mark_in_the_corner() -> None:
    poses = standing([(200, 120, 300, 220)])
    xy = poses.keypoints_xy.copy()
    xy[0, [9, 10]] = np.nan
    image = draw_poses(grey(), replace(poses, keypoints_xy=xy))
    assert not changed(image)[:40, :40].any()
    whole = draw_poses(grey(), poses)
    assert changed(whole).sum() > changed(image).sum()


coordinates = st.one_of(
    st.floats(-400, 800),
    st.sampled_from([1e12, -1e12, 1e300, -1e300, np.nan, np.inf, -np.inf, 0.0, -0.5]),
)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(coordinates, min_size=68, max_size=68),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=8, max_size=8),
    st.sampled_from([(0, 0), (1, 1), (1, 40), (7, 3), (64, 48)]),
)
def test_no_numbers_of_any_kind_make_drawing_fail(
    numbers: list[float], edges: list[float], size_hw: tuple[int, int]
) -> None:
    xy = np.array(numbers).reshape(2, 17, 2)
    poses = Poses(
        keypoints_xy=xy,
        keypoint_scores=np.resize(np.array([0.1, 0.5, 1.0, 7.0]), (2, 17)),
        boxes_xyxy=np.array(edges).reshape(2, 4),
        scores=np.ones(2),
        track_ids=np.array([1, 10**12]),
        covariance_px2=np.resize(np.array(edges), (2, 17, 2, 2)),
    )
    draw_poses(grey(*size_hw), poses, show_boxes=True, show_uncertainty=True)


def test_the_id_stands_above_the_head_of_tracked_people_only() -> None:
    box = (220.0, 140.0, 320.0, 440.0)
    with_id = draw_poses(grey(480, 640), standing([box]))
    without = draw_poses(grey(480, 640), standing([box]), show_ids=False)
    ys, xs = np.nonzero(changed(with_id) & ~changed(without))
    assert ys.max() < 165 and 220 < xs.mean() < 320
    untracked = draw_poses(grey(480, 640), standing([box], first_id=0))
    np.testing.assert_array_equal(changed(untracked), changed(without))


def test_boxes_are_drawn_when_asked_for() -> None:
    poses = standing([(100.0, 40.0, 200.0, 220.0)])
    for asked in (False, True):
        image = draw_poses(grey(), poses, show_ids=False, show_boxes=asked)
        assert changed(image)[130, 99:101].any() == asked


@pytest.mark.parametrize(("radius", "least"), [(RADII[0], 100), (RADII[1], 40)])
def test_uncertainty_ellipses_have_the_axes_of_their_covariance(radius: float, least: int) -> None:
    poses = of_points({"left_wrist": (160.0, 120.0)})
    covariance = poses.covariance_px2.copy()
    covariance[0, 9] = np.diag([(40.0 / radius) ** 2, (20.0 / radius) ** 2])
    known = replace(poses, covariance_px2=covariance)
    assert not changed(draw_poses(grey(), known))[120, 200]
    image = draw_poses(grey(value=0), known, show_uncertainty=True)
    for y, x in ((120, 200), (120, 120), (100, 160), (140, 160)):
        inside = 6 * np.sign([120 - y, 160 - x])
        line = int(image[y, x].max())
        assert line > least
        assert line > 2 * int(image[y + inside[0], x + inside[1]].max())
    reach = RADII[1] / radius
    assert not changed(image, 0)[120, int(166 + 40 * reach) :].any()
    assert not changed(image, 0)[int(126 + 20 * reach) :, 160].any()


def test_a_predicted_keypoint_is_hollow_and_a_seen_one_is_filled() -> None:
    seen = of_points({"nose": (100, 100)}, size_px=600.0)
    states = np.where(
        seen.keypoint_states == KeypointState.SEEN, KeypointState.PREDICTED, seen.keypoint_states
    )
    predicted = replace(seen, keypoint_states=states.astype(np.uint8))
    filled, hollow = changed(draw_poses(grey(), seen)), changed(draw_poses(grey(), predicted))
    assert filled[100, 100] and not hollow[100, 100]
    assert hollow[95:105, 95:105].any()
