"""Skeletons, panel and sheet: what is painted where, and what can never go wrong."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from people import made, standing

from livepose.drawing import Hud, contact_sheet, draw_hud, draw_poses, palette
from livepose.drawing._kernels import paint_capsules
from livepose.drawing.canvas import put_text, text_width_px
from livepose.errors import UsageError
from livepose.poses import KeypointState, Poses
from livepose.skeletons import COCO17
from livepose.weights.calibration import RADII


def grey(height=240, width=320, value=128):
    return np.full((height, width, 3), value, dtype=np.uint8)


def changed(image, value=128):
    return (image != value).any(axis=2)


def only(keypoint, at_xy, size_px=100.0):
    """Somebody of that size of whom one keypoint is there."""
    xy = np.full((1, 17, 2), np.nan)
    xy[0, COCO17.keypoints.index(keypoint)] = at_xy
    return made(xy, 1.0, (0.0, 0.0, size_px, size_px), ids=[0])


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
def test_a_capsule_is_the_distance_to_its_line(ends, radius, rim, hole, opacities):
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


def test_the_left_and_the_right_of_a_person_have_colours_of_their_own():
    poses = standing((220, 40, 420, 440))
    image = draw_poses(grey(480, 640), poses).astype(int)
    shins_xy = poses.keypoints_xy[0, [[13, 15], [14, 16]]].mean(axis=1).round().astype(int)
    left, right = (image[y, x] for x, y in shins_xy)
    wanted = palette.track_colours_bgr(1)
    assert np.abs(left - right).max() > 60
    assert np.abs(left - wanted[palette.LEFT]).max() < 60
    assert np.abs(right - wanted[palette.RIGHT]).max() < 60


def test_the_first_eight_tracks_are_far_apart():
    colours = [palette.track_colours_bgr(track_id)[palette.CENTRE] for track_id in range(1, 9)]
    lab = cv2.cvtColor(np.float32([colours]) / 255, cv2.COLOR_BGR2Lab)[0]
    gaps = np.linalg.norm(lab[:, None] - lab, axis=2)
    assert gaps[~np.eye(8, dtype=bool)].min() > 14.0


def test_keypoints_below_the_threshold_are_left_out():
    poses = standing((100, 20, 200, 220), scores=0.3)
    assert not changed(draw_poses(grey(), poses, score_threshold=0.31)).any()
    assert changed(draw_poses(grey(), poses, score_threshold=0.29)).any()


def test_a_keypoint_that_is_not_there_leaves_no_mark_in_the_corner():
    poses = standing((200, 120, 300, 220))
    wrists = np.isin(np.arange(17), [9, 10])[None]
    image = draw_poses(grey(), poses.without_keypoints(wrists))
    assert not changed(image)[:40, :40].any()
    assert changed(draw_poses(grey(), poses)).sum() > changed(image).sum()


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
def test_no_numbers_of_any_kind_make_drawing_fail(numbers, edges, size_hw):
    poses = Poses(
        keypoints_xy=np.array(numbers).reshape(2, 17, 2),
        keypoint_scores=np.resize(np.array([0.1, 0.5, 1.0, 7.0]), (2, 17)),
        boxes_xyxy=np.array(edges).reshape(2, 4),
        scores=np.ones(2),
        track_ids=np.array([1, 10**12]),
        covariance_px2=np.resize(np.array(edges), (2, 17, 2, 2)),
    )
    draw_poses(grey(*size_hw), poses, show_boxes=True, show_uncertainty=True)


def test_the_id_stands_above_the_head_of_tracked_people_only():
    box = (220.0, 140.0, 320.0, 440.0)
    with_id = draw_poses(grey(480, 640), standing(box))
    without = draw_poses(grey(480, 640), standing(box), show_ids=False)
    ys, xs = np.nonzero(changed(with_id) & ~changed(without))
    assert ys.max() < 165 and 220 < xs.mean() < 320
    untracked = draw_poses(grey(480, 640), standing(box, ids=[0]))
    np.testing.assert_array_equal(changed(untracked), changed(without))


def test_boxes_are_drawn_when_asked_for():
    poses = standing((100.0, 40.0, 200.0, 220.0))
    for asked in (False, True):
        image = draw_poses(grey(), poses, show_ids=False, show_boxes=asked)
        assert changed(image)[130, 99:101].any() == asked


@pytest.mark.parametrize(("radius", "least"), [(RADII[0], 100), (RADII[1], 40)])
def test_uncertainty_ellipses_have_the_axes_of_their_covariance(radius, least):
    known = only("left_wrist", (160.0, 120.0))
    known.covariance_px2[0, 9] = np.diag([(40.0 / radius) ** 2, (20.0 / radius) ** 2])
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


def test_a_predicted_keypoint_is_hollow_and_a_seen_one_is_filled():
    seen = only("nose", (100, 100), size_px=600.0)
    predicted = replace(seen, keypoint_states=np.full((1, 17), KeypointState.PREDICTED, np.uint8))
    filled, hollow = changed(draw_poses(grey(), seen)), changed(draw_poses(grey(), predicted))
    assert filled[100, 100] and not hollow[100, 100]
    assert hollow[95:105, 95:105].any()


STAGES = {"detect": 6.2, "track": 0.2, "crop": 0.5, "network": 14.3, "decode": 0.05}
FULL = Hud(31.2, 2, STAGES, 41.0, 67.0, 12, "dark", recording=True, notes=["paused"])


@pytest.mark.parametrize("height_px", [6, 9, 12])
def test_letters_stand_as_far_apart_in_small_text_as_in_large(height_px):
    ends_px = []
    for tall_px in (height_px, 10 * height_px):
        image = grey(300, 1000)
        put_text(image, "0:00.67", (0, 200), tall_px, (255, 255, 255))
        ends_px.append(np.flatnonzero(changed(image).any(axis=0))[-1])
    assert ends_px[0] == pytest.approx(ends_px[1] / 10, abs=1.5)
    assert ends_px[0] == pytest.approx(text_width_px("0:00.67", height_px), abs=2)


@pytest.mark.parametrize("corner_xy", [(-4, 3), (315, 245), (-300, -300), (700, 700)])
def test_text_beyond_the_edge_is_cut(corner_xy):
    padded, image = grey(1240, 1320), grey()
    put_text(padded, "12:34", (500 + corner_xy[0], 500 + corner_xy[1]), 10.0, (0, 0, 0))
    put_text(image, "12:34", corner_xy, 10.0, (0, 0, 0))
    np.testing.assert_array_equal(image, padded[500:740, 500:820])


def test_the_panel_is_translucent_and_in_the_upper_left():
    image = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    before = image.copy()
    assert draw_hud(image, FULL) is image
    ys, xs = np.nonzero((image != before).any(axis=2))
    assert xs.max() < 0.35 * 1280 and ys.max() < 0.55 * 720
    # What lies under an empty part of the panel is still seen through it.
    corner, under = image[14:20, 60:120].astype(float), before[14:20, 60:120].astype(float)
    assert np.corrcoef(corner.ravel(), under.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("size_hw", [(1, 1), (47, 2000), (900, 60), (0, 0)])
def test_no_image_is_too_small_or_too_narrow_for_the_panel(size_hw):
    unknown = Hud(fps=None, stage_ms={"network": np.nan}, age_p50_ms=np.nan)
    for hud in (FULL, unknown):
        draw_hud(grey(*size_hw), hud)


def test_images_stand_in_rows_in_their_order_on_a_contact_sheet():
    values = [40, 80, 120, 160, 200]
    sheet = contact_sheet([grey(90, 160, value) for value in values], columns=3, width_px=600)
    assert sheet.shape[1] == 600
    middles = sheet[sheet.shape[0] // 4 :: sheet.shape[0] // 2, 100::200, 0].ravel()
    assert middles[:5].tolist() == values
    assert middles[5] < 40  # the sixth place is empty


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (([], 3, 600), "at least one image"),
        (([grey(9, 9)], 0, 600), "columns and width of 1 or more"),
        (([grey(9, 9)] * 40, 40, 20), "does not fit"),
    ],
)
def test_what_cannot_be_a_sheet_is_refused(arguments, wanted):
    with pytest.raises(UsageError, match=wanted):
        contact_sheet(*arguments)
