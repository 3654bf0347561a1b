"""Boxes, the assignment, and how alike poses are."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.boxes import inside, iou, to_xywh, to_xyxy
from livepose.skeletons import COCO17
from livepose.tracking import motion
from livepose.tracking.associate import assign
from livepose.tracking.identity import oks
from livepose.tracking.tracks import Tracks

SIGMAS = np.array(COCO17.oks_sigmas)
POSE = np.random.default_rng(0).uniform(0, 200, (1, 17, 2))
NOWHERE = np.full((17, 2), np.nan)
NEAR = np.ones((1, 1), dtype=bool)


def test_impossible_pairs_do_not_push_possible_ones_aside():
    likeness = np.array([[0.5, 0.29], [0.29, 0.0]])
    rows, columns = assign(likeness, 0.3)
    assert list(zip(rows, columns, strict=True)) == [(0, 0)]
    assert len(assign(np.empty((0, 3)), 0.1)[0]) == 0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**16), rows=st.integers(1, 4), columns=st.integers(1, 4))
def test_the_assignment_equals_trying_everything(seed, rows, columns):
    likeness = np.random.default_rng(seed).uniform(0, 1, (rows, columns))
    wide = likeness if rows <= columns else likeness.T
    best = max(
        sum(wide[r, c] for r, c in enumerate(order))
        for order in itertools.permutations(range(wide.shape[1]), wide.shape[0])
    )
    assert likeness[assign(likeness, 0.0)].sum() == pytest.approx(best)


def test_oks_is_the_measure_of_coco():
    area = np.array([150.0 * 220.0])
    wanted = np.mean(np.exp(-2 * 6.0**2 / (2 * area[0] * (2 * SIGMAS) ** 2)))
    assert oks(POSE, POSE + 6.0, area, SIGMAS, NEAR)[0, 0] == pytest.approx(wanted)
    half, few = POSE.copy(), POSE.copy()
    half[0, 8:], few[0, 3:] = np.nan, np.nan
    assert oks(POSE, half, area, SIGMAS, NEAR)[0, 0] == pytest.approx(1.0)
    assert oks(POSE, few, area, SIGMAS, NEAR)[0, 0] == 0.0


def test_boxes_overlap_lie_inside_and_have_centres():
    small, large = np.array([[10.0, 10, 20, 20]]), np.array([[0.0, 0, 15, 100]])
    assert inside(small, large)[0, 0] == pytest.approx(0.5)
    assert inside(large, small)[0, 0] == pytest.approx(50 / 1500)
    assert iou(small, large)[0, 0] == pytest.approx(50 / 1550)
    assert iou(small, small + 10)[0, 0] == iou(small, small * np.nan)[0, 0] == 0.0
    np.testing.assert_allclose(to_xyxy(to_xywh(small)), small)


# -- boxes in motion -------------------------------------------------------------------------------


def born(*box):
    return Tracks.born(np.array([box], dtype=float), np.ones(1), 0.0, 17).table


def test_two_half_steps_predict_what_one_whole_step_does():
    once = born(0, 0, 80, 200)
    once["velocity"][0, :2] = 300, -20
    twice = once.copy()
    motion.advance(once, 0.2)
    for _ in range(2):
        motion.advance(twice, 0.1)
    np.testing.assert_allclose(once["xywh"][:, :2], twice["xywh"][:, :2], rtol=1e-9)
    np.testing.assert_allclose(once["variance"][:, :2], twice["variance"][:, :2], rtol=1e-6)


def test_a_box_keeps_a_size_however_long_it_shrinks():
    table = born(0, 0, 50, 50)
    table["velocity"][:, 2:] = -1000.0
    motion.advance(table, 3.0)
    assert np.all(table["xywh"][:, 2:] >= 1.0)


def test_learned_margins_lead_from_keypoints_back_to_the_detected_box():
    box, margins = (-30.0, -60.0, 240.0, 260.0), np.full(4, 0.1)
    for _ in range(40):
        motion.learn_margins(margins, POSE[0], box)
    put = np.zeros(4)
    motion.follow(put, NOWHERE, POSE[0], margins, np.inf)
    np.testing.assert_allclose(put, box, atol=1e-3)
    before = margins.copy()
    motion.learn_margins(margins, NOWHERE, (0.0, 0.0, 9.0, 9.0))
    np.testing.assert_array_equal(margins, before)


@pytest.mark.parametrize(
    ("box", "now_xy", "wanted"),
    [
        ((-20.0, -30, 220, 220), POSE[0] + 7.0, (-13.0, -23, 227, 227)),
        ((0.0, 0, 50, 50), NOWHERE, (0.0, 0, 50, 50)),
        ((90.0, 90, 110, 110), POSE[0], (*POSE[0].min(axis=0), *POSE[0].max(axis=0))),
    ],
    ids=["moves as its keypoints move", "stays without any", "never cuts them off"],
)
def test_a_box_follows_keypoints(box, now_xy, wanted):
    put = np.array(box)
    motion.follow(put, POSE[0], now_xy, np.zeros(4), 1e-9)
    np.testing.assert_allclose(put, wanted, atol=1e-5)


def test_tracks_share_their_memory_with_their_columns_and_with_nobody_else():
    one = Tracks.born(np.array([[0.0, 0, 10, 20]]), np.array([0.9]), 1.0, 17)
    both = one.joined(one)
    both.ids[:], both.reach[1] = (1, 2), 3.0
    assert both.table["ids"].tolist() == [1, 2] and len(both) == 2
    assert one.ids.tolist() == [0] and np.isnan(one.reach).all()
    second = both.select(np.array([1]))
    second.ids[0], second.histograms[0] = 7, 0.5
    assert both.ids.tolist() == [1, 2] and np.isnan(both.histograms).all()
    np.testing.assert_array_equal(second.reach, np.full((1, 17), 3.0))
