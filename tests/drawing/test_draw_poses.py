"""Skeletons on pictures: what is painted where, and what can never go wrong."""

import doctest
from dataclasses import replace

import numpy as np
import pytest
from drawing.people import of_points, standing
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livepose.drawing import draw_poses, palette
from livepose.drawing._kernels import paint_panel
from livepose.drawing._people_kernels import paint_people
from livepose.errors import UsageError
from livepose.poses import KeypointState, Poses
from livepose.skeletons import MPII16
from livepose.weights.calibration import RADII

Image = NDArray[np.uint8]


def grey(height: int = 240, width: int = 320, value: int = 128) -> Image:
    return np.full((height, width, 3), value, dtype=np.uint8)


def changed(image: Image, value: int = 128) -> NDArray[np.bool_]:
    return np.asarray((image != value).any(axis=2))


def test_the_picture_itself_is_drawn_into_and_returned() -> None:
    image = grey()
    assert draw_poses(image, standing([(100, 20, 200, 220)])) is image
    assert changed(image).any()


def test_the_poses_stay_as_they_were() -> None:
    poses = standing([(100, 20, 200, 220)], sigma_px=4.0)
    before = poses.keypoints_xy.copy(), poses.covariance_px2.copy()
    draw_poses(grey(), poses, show_boxes=True, show_uncertainty=True)
    np.testing.assert_array_equal(poses.keypoints_xy, before[0])
    np.testing.assert_array_equal(poses.covariance_px2, before[1])


def test_nobody_leaves_the_picture_unchanged() -> None:
    assert not changed(draw_poses(grey(), Poses.empty(), show_boxes=True)).any()


def test_only_pixels_near_the_person_change() -> None:
    image = draw_poses(grey(480, 640), standing([(300, 150, 400, 400)]))
    ys, xs = np.nonzero(changed(image))
    assert xs.min() >= 300 - 20
    assert xs.max() <= 400 + 20
    assert ys.min() >= 150 - 60  # the plate with the id stands above the head
    assert ys.max() <= 400 + 20


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


def test_two_tracks_have_different_colours_and_a_track_keeps_its_own() -> None:
    box = (220.0, 40.0, 420.0, 440.0)
    first, again, second = (
        draw_poses(grey(480, 640), standing([box], first_id=track_id), show_ids=False)
        for track_id in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - second).max() > 60


def test_people_without_a_track_are_told_apart_by_their_order() -> None:
    boxes = [(20.0, 20.0, 120.0, 220.0), (180.0, 20.0, 280.0, 220.0)]
    image = draw_poses(grey(), standing(boxes, first_id=0))
    assert np.abs(image[:, 20:121].astype(int) - image[:, 180:281]).max() > 60


def test_a_surer_limb_is_more_opaque() -> None:
    ends = {"left_shoulder": (40.0, 100.0), "left_elbow": (240.0, 100.0)}
    strengths = []
    for score in (0.25, 0.45, 0.65):
        image = draw_poses(grey(value=0), of_points(ends, score))
        strengths.append(int(image[100, 140].max()))
    assert strengths[0] + 30 < strengths[1]
    assert strengths[1] + 30 < strengths[2]


def test_a_limb_fades_towards_its_unsure_end() -> None:
    poses = of_points({"left_shoulder": (40.0, 100.0), "left_elbow": (240.0, 100.0)})
    scores = poses.keypoint_scores.copy()
    scores[0, 7] = 0.3
    image = draw_poses(grey(value=0), replace(poses, keypoint_scores=scores))
    row = image[100, 60:220:20].max(axis=1).astype(int)
    assert (np.diff(row) < 0).all()


def test_keypoints_below_the_threshold_are_left_out() -> None:
    poses = standing([(100, 20, 200, 220)], score=0.3)
    assert not changed(draw_poses(grey(), poses, score_threshold=0.31)).any()
    assert changed(draw_poses(grey(), poses, score_threshold=0.29)).any()


@pytest.mark.parametrize("missing", [np.nan, np.inf, -np.inf])
def test_a_keypoint_that_is_not_there_leaves_no_mark_in_the_corner(missing: float) -> None:
    poses = standing([(200, 120, 300, 220)])
    xy = poses.keypoints_xy.copy()
    xy[0, [9, 10]] = missing
    image = draw_poses(grey(), replace(poses, keypoints_xy=xy))
    assert not changed(image)[:40, :40].any()
    whole = draw_poses(grey(), poses)
    assert changed(whole).sum() > changed(image).sum()


def test_a_person_without_any_keypoint_is_nothing_to_draw() -> None:
    poses = replace(standing([(0, 0, 9, 9)]), keypoints_xy=np.full((1, 17, 2), np.nan))
    assert not changed(draw_poses(grey(), poses)).any()


def test_lines_are_wider_on_bigger_people() -> None:
    ends = {"left_shoulder": (100.0, 100.0), "left_elbow": (900.0, 100.0)}
    widths = []
    for size_px in (20.0, 100.0, 400.0, 900.0):
        image = draw_poses(grey(1000, 1000), of_points(ends, size_px=size_px))
        widths.append(int(changed(image)[:, 500].sum()))
    assert widths == sorted(set(widths))


def test_lines_never_blot_out_a_small_picture() -> None:
    ends = {"left_shoulder": (10.0, 60.0), "left_elbow": (150.0, 60.0)}
    image = draw_poses(grey(120, 160), of_points(ends, size_px=5000.0))
    assert changed(image)[:, 80].sum() <= 6


def test_positions_are_sub_pixel() -> None:
    centres = []
    for x in (60.0, 60.25, 60.5):
        ends = {"left_shoulder": (x, 10.0), "left_elbow": (x, 200.0)}
        image = draw_poses(grey(value=0), of_points(ends))
        light = image[100].astype(float).sum(axis=1)
        centres.append(float((light * np.arange(len(light))).sum() / light.sum()))
    np.testing.assert_allclose(centres, [60.0, 60.25, 60.5], atol=0.04)


def test_integer_coordinates_are_pixel_centres() -> None:
    image = draw_poses(grey(41, 41, 0), of_points({"left_wrist": (20.0, 20.0)}, size_px=400.0))
    np.testing.assert_array_equal(image, image[::-1])
    np.testing.assert_array_equal(image, image[:, ::-1])


def test_edges_are_smooth() -> None:
    ends = {"left_shoulder": (20.0, 20.0), "left_elbow": (280.0, 133.0)}
    image = draw_poses(grey(value=0), of_points(ends))
    assert len(np.unique(image[..., 0])) > 20


def test_a_limb_that_leaves_the_picture_is_the_same_limb_inside_it() -> None:
    near = {"left_shoulder": (160.0, 120.0), "left_elbow": (160.0 + 3000, 120.0 + 1500)}
    far = {"left_shoulder": (160.0, 120.0), "left_elbow": (160.0 + 2e7, 120.0 + 1e7)}
    first, second = (draw_poses(grey(), of_points(ends)) for ends in (near, far))
    assert changed(first)[:, 300].any()
    assert np.abs(first.astype(int) - second).max() <= 1


def test_a_limb_between_two_points_outside_crosses_the_picture() -> None:
    ends = {"left_shoulder": (-1e6, -1e6), "left_elbow": (1e6, 1e6)}
    assert changed(draw_poses(grey(), of_points(ends)))[np.arange(240), np.arange(240)].all()


coordinates = st.one_of(
    st.floats(-400, 800),
    st.sampled_from([1e12, -1e12, 1e300, -1e300, np.nan, np.inf, -np.inf, 0.0, -0.5]),
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(coordinates, min_size=68, max_size=68),
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=8, max_size=8),
    st.sampled_from([(1, 1), (1, 40), (7, 3), (64, 48)]),
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


def test_an_empty_picture_is_drawn_on_without_complaint() -> None:
    draw_poses(np.zeros((0, 0, 3), np.uint8), standing([(0, 0, 9, 9)]), show_boxes=True)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 1), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((20, 30, 3), np.float32),
    ],
)
def test_grey_and_other_pictures_are_refused_with_what_was_expected(wrong: Image) -> None:
    with pytest.raises(UsageError, match=r"expected uint8 of shape \(H, W, 3\).*got") as caught:
        draw_poses(wrong, Poses.empty())
    assert str(wrong.shape) in str(caught.value)


def test_a_read_only_picture_is_refused() -> None:
    image = grey()
    image.setflags(write=False)
    with pytest.raises(UsageError, match="writable"):
        draw_poses(image, Poses.empty())


def test_a_mirrored_or_strided_view_is_drawn_into_as_well() -> None:
    poses = standing([(100, 20, 200, 220)])
    wanted = draw_poses(grey(), poses)
    flipped = grey()[:, ::-1]
    draw_poses(flipped, poses)
    np.testing.assert_array_equal(flipped, wanted)
    wide = grey(240, 400)
    draw_poses(wide[:, 40:360], poses)
    np.testing.assert_array_equal(wide[:, 40:360], wanted)
    assert not changed(wide)[:, :40].any()


def test_near_people_are_painted_over_far_ones() -> None:
    near = of_points({"left_shoulder": (10.0, 100.0), "left_elbow": (300.0, 100.0)}, size_px=300)
    far = of_points({"left_shoulder": (150.0, 10.0), "left_elbow": (150.0, 200.0)}, size_px=100)
    both = Poses(
        *(
            np.concatenate([getattr(near, name), getattr(far, name)])
            for name in ("keypoints_xy", "keypoint_scores", "boxes_xyxy", "scores")
        ),
        track_ids=np.array([5, 6]),
        covariance_px2=np.full((2, 17, 2, 2), np.nan),
    )
    image = draw_poses(grey(), both, show_ids=False)
    only_near = draw_poses(grey(), replace(near, track_ids=np.array([5])), show_ids=False)
    assert np.abs(image[100, 150].astype(int) - only_near[100, 150]).max() < 12


def test_the_id_stands_above_the_head_of_tracked_people_only() -> None:
    box = (220.0, 140.0, 320.0, 440.0)
    with_id = draw_poses(grey(480, 640), standing([box]))
    without = draw_poses(grey(480, 640), standing([box]), show_ids=False)
    plate = changed(with_id) & ~changed(without)
    ys, xs = np.nonzero(plate)
    assert ys.max() < 165
    assert 220 < xs.mean() < 320
    untracked = draw_poses(grey(480, 640), standing([box], first_id=0))
    np.testing.assert_array_equal(changed(untracked), changed(without))


def test_the_id_of_a_head_at_the_upper_edge_stays_in_the_picture() -> None:
    high = standing([(220, -10, 320, 440)])
    plate = changed(draw_poses(grey(480, 640), high)) & ~changed(
        draw_poses(grey(480, 640), high, show_ids=False)
    )
    assert plate.sum() > 60


def test_boxes_are_drawn_when_asked_for() -> None:
    poses = standing([(100.0, 40.0, 200.0, 220.0)])
    plain = draw_poses(grey(), poses, show_ids=False)
    boxed = draw_poses(grey(), poses, show_ids=False, show_boxes=True)
    assert not changed(plain)[130, 99:101].any()
    assert changed(boxed)[130, 99:101].any()
    assert changed(boxed)[39:41, 150].any()
    nan_box = replace(poses, boxes_xyxy=np.full((1, 4), np.nan))
    draw_poses(grey(), nan_box, show_boxes=True)


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


@pytest.mark.parametrize(
    "covariance",
    [
        [[np.nan, np.nan], [np.nan, np.nan]],
        [[-4.0, 0.0], [0.0, 4.0]],
        [[4.0, 5.0], [5.0, 4.0]],
        [[0.0, 0.0], [0.0, 0.0]],
        [[np.inf, 0.0], [0.0, np.inf]],
        [[1e300, 0.0], [0.0, 1e300]],
    ],
)
def test_an_unknown_or_impossible_covariance_has_no_ellipse(covariance: list[list[float]]) -> None:
    poses = of_points({"left_wrist": (160.0, 120.0)})
    unknown = draw_poses(grey(), poses, show_uncertainty=True)
    covariances = poses.covariance_px2.copy()
    covariances[0, 9] = covariance
    odd = draw_poses(grey(), replace(poses, covariance_px2=covariances), show_uncertainty=True)
    np.testing.assert_array_equal(odd, unknown)


def test_other_skeletons_are_drawn_by_their_own_limbs() -> None:
    ends = {"pelvis": (100.0, 200.0), "thorax": (100.0, 60.0)}
    image = draw_poses(grey(), of_points(ends, skeleton=MPII16))
    assert changed(image)[130, 100]


def test_each_kernel_is_compiled_once_whatever_is_drawn() -> None:
    draw_poses(grey(), standing([(9, 9, 90, 200)], sigma_px=3.0), show_uncertainty=True)
    assert len(paint_people.signatures) == 1
    assert len(paint_panel.signatures) <= 1  # none where the other came out of the cache


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(palette).failed == 0


def test_a_predicted_keypoint_is_hollow_and_a_seen_one_is_filled() -> None:
    seen = of_points({"nose": (100, 100)}, size_px=600.0)
    states = np.where(
        seen.keypoint_states == KeypointState.SEEN, KeypointState.PREDICTED, seen.keypoint_states
    )
    predicted = replace(seen, keypoint_states=states.astype(np.uint8))
    filled, hollow = changed(draw_poses(grey(), seen)), changed(draw_poses(grey(), predicted))
    assert filled[100, 100] and not hollow[100, 100]
    assert hollow[95:105, 95:105].any()
