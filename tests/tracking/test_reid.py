import numpy as np
import pytest

from livepose.tracking import Tracker
from livepose.tracking.reid import colour_histogram
from livepose.tracking.tracks import HISTOGRAM_LENGTH

STEP_S = 0.1
RED, BLUE, GREEN = (40, 40, 200), (200, 60, 30), (40, 180, 60)


class Found:
    def __init__(self, boxes_xyxy):
        self.boxes_xyxy = np.array(boxes_xyxy, dtype=float).reshape(-1, 4)
        self.scores = np.full(len(self.boxes_xyxy), 0.9)


def box(x):
    return [x - 40, 100, x + 40, 300]


def picture(people, seed=0):
    """A grey room with people of one colour each, and the camera's noise."""
    image = np.full((360, 640, 3), 90.0)
    for x, colour in people:
        image[100:300, max(x - 40, 0) : max(x + 40, 0)] = colour
    image += np.random.default_rng(seed).normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def play(moments):
    """Shows ``[(x, colour), ...]`` for each moment; the ids of each."""
    tracker, ids = Tracker(), []
    for index, people in enumerate(moments):
        found = Found([box(x) for x, _ in people])
        tracked = tracker.update(index * STEP_S, found, picture(people, index))
        ids.append(tracked.track_ids.tolist())
    return ids


def test_whoever_comes_back_at_another_place_gets_the_old_id():
    ids = play([[(100, RED)]] * 15 + [[]] * 50 + [[(500, RED)]] * 10)
    assert ids[14] == ids[-1] == [1]


def test_whoever_comes_back_soon_somewhere_else_gets_the_old_id():
    ids = play([[(100, RED)]] * 15 + [[]] * 8 + [[(500, RED)]] * 10)
    assert ids[-1] == [1]


def test_somebody_else_gets_a_new_id():
    ids = play([[(100, RED)]] * 15 + [[]] * 50 + [[(100, BLUE)]] * 10)
    assert ids[-1] == [2]


def test_people_in_black_are_not_taken_for_each_other():
    black = (25, 22, 20)
    ids = play([[(100, black)]] * 15 + [[]] * 50 + [[(500, black)]] * 10)
    assert ids[-1] == [2]


def test_black_trousers_do_not_hide_a_shirt():
    image = picture([(100, RED)])
    image[200:] = (25, 22, 20)
    histograms = colour_histogram(image, np.array(box(100), dtype=float))
    assert histograms is not None
    np.testing.assert_allclose(np.linalg.norm(histograms), 1.0)


def test_whoever_was_away_too_long_is_forgotten():
    ids = play([[(100, RED)]] * 15 + [[]] * 330 + [[(500, RED)]] * 10)
    assert ids[-1] == [2]


def test_of_two_alike_nobody_is_guessed():
    both = [(100, RED), (300, RED)]
    ids = play([both] * 15 + [[]] * 50 + [[(500, RED)]] * 10)
    assert ids[-1] == [3]


def test_whoever_looks_like_somebody_here_is_not_taken_for_the_one_who_left():
    ids = play(
        [[(100, RED), (300, RED)]] * 15 + [[(100, RED)]] * 50 + [[(100, RED), (500, RED)]] * 10
    )
    assert ids[-1] == [1, 3]


def test_two_who_left_are_told_apart():
    both, back = [(100, RED), (300, BLUE)], [(100, BLUE), (300, RED)]
    tracker, colour_of = Tracker(), {}
    for index, people in enumerate([both] * 15 + [[]] * 50 + [back] * 10):
        found = Found([box(x) for x, _ in people])
        tracked = tracker.update(index * STEP_S, found, picture(people, index))
        middles = tracked.boxes_xyxy[:, [0, 2]].mean(axis=1)
        for who, middle in zip(tracked.track_ids, middles, strict=True):
            if people:
                colour = min(people, key=lambda one: abs(one[0] - middle))[1]
                assert colour_of.setdefault(int(who), colour) == colour
    assert sorted(colour_of) == [1, 2]


def test_without_pictures_nobody_is_known_again():
    tracker = Tracker()
    for index in range(15):
        tracker.update(index * STEP_S, Found([box(100)]))
    for index in range(15, 65):
        tracker.update(index * STEP_S, Found([]))
    assert tracker.update(6.6, Found([box(500)])).track_ids.tolist() == [2]


def test_time_that_runs_backwards_forgets_looks_too():
    tracker = Tracker()
    for index in range(15):
        tracker.update(index * STEP_S, Found([box(100)]), picture([(100, RED)]))
    for index in range(15, 65):
        tracker.update(index * STEP_S, Found([]), picture([]))
    tracker.update(0.0, Found([]), picture([]))
    assert tracker.update(0.1, Found([box(500)]), picture([(500, RED)])).track_ids.tolist() != [1]


def test_looks_are_of_length_one_and_alike_under_noise():
    one = colour_histogram(picture([(100, RED)], 1), np.array(box(100)))
    same = colour_histogram(picture([(300, RED)], 2), np.array(box(300)))
    other = colour_histogram(picture([(100, GREEN)], 3), np.array(box(100)))
    assert one.shape == (HISTOGRAM_LENGTH,)
    assert one @ one == pytest.approx(1.0)
    assert one @ same > 0.95 > 0.3 > one @ other


@pytest.mark.parametrize("edges", [(0, 0, 6, 6), (-90, 100, -10, 300), (700, 100, 780, 300)])
def test_a_tiny_or_distant_box_has_no_looks(edges):
    assert colour_histogram(picture([]), np.array(edges, dtype=float)) is None
