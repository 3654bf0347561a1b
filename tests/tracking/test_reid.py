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


def scene_image(people, seed=0):
    """A grey room with people of one colour each, and the camera's noise."""
    image = np.full((360, 640, 3), 90.0)
    for x, colour in people:
        image[100:300, max(x - 40, 0) : max(x + 40, 0)] = colour
    image += np.random.default_rng(seed).normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def play(moments, images=True):
    """Shows ``[(x, colour), ...]`` for each moment; the ids of each, from left to right."""
    tracker, ids = Tracker(), []
    for index, people in enumerate(moments):
        found = Found([box(x) for x, _ in people])
        image = scene_image(people, index) if images else None
        tracked = tracker.update(index * STEP_S, found, image)
        ids.append(tracked.track_ids[tracked.boxes_xyxy[:, 0].argsort()].tolist())
    return ids


DARK = (25, 22, 20)
BOTH = [(100, RED), (300, BLUE)]


@pytest.mark.parametrize(
    ("before", "away", "after", "ids"),
    [
        ([(100, RED)], [[]] * 50, [(500, RED)], [1]),
        ([(100, RED)], [[]] * 8, [(500, RED)], [1]),
        ([(100, RED)], [[]] * 50, [(100, BLUE)], [2]),
        ([(100, DARK)], [[]] * 50, [(500, DARK)], [2]),
        ([(100, RED)], [[]] * 330, [(500, RED)], [2]),
        ([(100, RED), (300, RED)], [[]] * 50, [(500, RED)], [3]),
        ([(100, RED), (300, RED)], [[(100, RED)]] * 50, [(100, RED), (500, RED)], [1, 3]),
        (BOTH, [[]] * 50, [(100, BLUE), (300, RED)], None),
    ],
    ids=[
        "whoever comes back at another place gets the old id",
        "... also when lost for a moment only",
        "somebody else gets a new one",
        "people in black are not taken for each other",
        "whoever was away too long is forgotten",
        "of two alike nobody is guessed",
        "whoever looks like somebody here is not the one who left",
        "two who left are told apart",
    ],
)
def test_who_comes_back(before, away, after, ids):
    shown = play([before] * 15 + away + [after] * 10)
    assert shown[-1] == (ids or shown[0][::-1])


def test_without_images_nobody_is_known_again_nor_when_time_runs_backwards():
    moments = [[(100, RED)]] * 15 + [[]] * 50
    assert play([*moments, [(500, RED)]], images=False)[-1] == [2]
    tracker = Tracker()
    for index, people in enumerate(moments):
        found = Found([box(x) for x, _ in people])
        tracker.update(index * STEP_S, found, scene_image(people))
    tracker.update(0.0, Found([]), scene_image([]))
    assert tracker.update(0.1, Found([box(500)]), scene_image([(500, RED)])).track_ids.tolist() != [
        1
    ]


def test_histograms_are_of_length_one_and_alike_under_noise():
    one = colour_histogram(scene_image([(100, RED)], 1), np.array(box(100)))
    same = colour_histogram(scene_image([(300, RED)], 2), np.array(box(300)))
    other = colour_histogram(scene_image([(100, GREEN)], 3), np.array(box(100)))
    assert one.shape == (HISTOGRAM_LENGTH,)
    assert one @ one == pytest.approx(1.0)
    assert one @ same > 0.95 > 0.3 > one @ other
    half = scene_image([(100, RED)])
    half[200:] = DARK
    assert colour_histogram(half, np.array(box(100))) is not None


@pytest.mark.parametrize("edges", [(0, 0, 6, 6), (-90, 100, -10, 300), (700, 100, 780, 300)])
def test_a_tiny_or_distant_box_has_no_histogram(edges):
    assert colour_histogram(scene_image([]), np.array(edges, dtype=float)) is None
