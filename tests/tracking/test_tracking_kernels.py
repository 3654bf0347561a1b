"""The kernels of boxes and tracking against their plain twins."""

import numpy as np
import tracking_reference as plain
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose import boxes
from livepose.tracking import _box_kernels
from livepose.tracking.identity import oks
from livepose.tracking.tracks import ROW, Tracks

SEEDS = st.integers(0, 2**20)


def made_boxes(rng, count):
    low = rng.uniform(-50, 400, (count, 2))
    return np.concatenate([low, low + rng.uniform(-5, 200, (count, 2))], axis=1)


def made_keypoints(rng, count, joints=6):
    keypoints_xy = rng.uniform(0, 400, (count, joints, 2))
    keypoints_xy[rng.random((count, joints)) < 0.4] = np.nan
    return keypoints_xy


def made_tracks(rng, count):
    table = np.zeros(count, dtype=ROW)
    table["xywh"] = np.concatenate(
        [rng.uniform(0, 400, (count, 2)), rng.uniform(1, 200, (count, 2))], axis=1
    )
    roots = rng.normal(0, 10, (count, 4, 2, 2))
    covariance = roots @ np.swapaxes(roots, -1, -2)
    table["variance"] = covariance.reshape(count, 4, 4)[..., [0, 1, 3]]
    table["velocity"] = rng.normal(0, 200, (count, 4))
    return table


def motion_of(table):
    return [table[name] for name in ("xywh", "velocity", "variance")]


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, first=st.integers(0, 5), second=st.integers(0, 5), broken=st.booleans())
def test_the_overlap_of_boxes_agrees_with_its_plain_twin(seed, first, second, broken):
    rng = np.random.default_rng(seed)
    one, two = made_boxes(rng, first), made_boxes(rng, second)
    if broken and first:
        one[0, rng.integers(4)] = np.nan
    found = boxes.iou(one, two)
    np.testing.assert_allclose(found, plain.iou(one, two), atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, people=st.integers(0, 4), dt_s=st.floats(0, 2))
def test_moving_on_agrees_with_its_plain_twin(seed, people, dt_s):
    table = made_tracks(np.random.default_rng(seed), people)
    before = [part.copy() for part in motion_of(table)]
    later = plain.moved_on(table, dt_s, 4.0)
    for ours, twin in zip(motion_of(later), plain.advance(*before, dt_s, 4.0, 0.5), strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, people=st.integers(0, 4))
def test_correcting_agrees_with_its_plain_twin(seed, people):
    rng = np.random.default_rng(seed)
    table, measured = made_tracks(rng, people), made_boxes(rng, people)
    ours = motion_of(plain.corrected(table, measured, 0.04))
    for part, twin in zip(ours, plain.correct(*motion_of(table), measured, 0.04), strict=True):
        np.testing.assert_allclose(part, twin, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, people=st.integers(0, 4))
def test_following_keypoints_agrees_with_its_plain_twin(seed, people):
    rng = np.random.default_rng(seed)
    before, now = made_keypoints(rng, people), made_keypoints(rng, people)
    places, margins = made_boxes(rng, people), rng.uniform(0, 1, (people, 4))
    dt_s = rng.choice([0.0, 0.033, 0.4, np.inf], people)
    pulls_s = (_box_kernels.OUTWARDS_S, _box_kernels.INWARDS_S)
    np.testing.assert_allclose(
        plain.followed(places, before, now, margins, dt_s),
        plain.follow(places, before, now, margins, dt_s, *pulls_s),
        rtol=1e-9,
        atol=1e-9,
    )


@settings(deadline=None, max_examples=40)
@given(seed=SEEDS, people=st.integers(0, 4), others=st.integers(0, 4))
def test_the_likeness_of_poses_agrees_with_its_plain_twin(seed, people, others):
    rng = np.random.default_rng(seed)
    one, two = made_keypoints(rng, people), made_keypoints(rng, others)
    areas_px2, sigmas = rng.uniform(0, 4e4, others), rng.uniform(0.02, 0.1, 6)
    near = rng.random((people, others)) < 0.7
    np.testing.assert_allclose(
        oks(one, two, areas_px2, sigmas, near),
        plain.oks(one, two, areas_px2, sigmas, near, least_common=4),
        rtol=1e-9,
        atol=1e-12,
    )


def test_tracks_share_their_memory_with_their_columns_and_with_nobody_else():
    born = Tracks.born(np.array([[0.0, 0, 10, 20]]), np.array([0.9]), 1.0, 0.1, 17)
    both = born.joined(born)
    both.ids[:], both.reach[1] = (1, 2), 3.0
    assert both.table["ids"].tolist() == [1, 2] and len(both) == 2
    assert born.ids.tolist() == [0] and np.isnan(born.reach).all()
    second = both.select(np.array([1]))
    second.ids[0], second.histograms[0] = 7, 0.5
    assert both.ids.tolist() == [1, 2] and np.isnan(both.histograms).all()
    np.testing.assert_array_equal(second.reach, np.full((1, 17), 3.0))
