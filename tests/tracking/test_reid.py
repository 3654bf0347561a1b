import numpy as np
import pytest

from livepose.detection import Detections
from livepose.tracking import Tracker

STEP_S = 0.1
RED, BLUE, DARK = (40, 40, 200), (200, 60, 30), (17, 14, 12)
BOTH = [(100, RED), (300, BLUE)]


def found(people):
    boxes = [[x - 40, 100, x + 40, 300] for x, _ in people]
    return Detections(np.array(boxes, dtype=float).reshape(-1, 4), np.full(len(people), 0.9))


NOISE = np.random.default_rng(0).integers(0, 16, (3, 360, 640, 3), np.uint8)


def scene_image(people, index=0):
    """A grey room with people of one colour each, and the camera's noise."""
    image = np.full((360, 640, 3), 82, np.uint8)
    for x, colour in people:
        image[100:300, max(x - 40, 0) : max(x + 40, 0)] = colour
    return image + NOISE[index % 3]


def play(moments, images=True):
    """Shows ``[(x, colour), ...]`` for each moment; the ids of each, from left to right."""
    tracker, ids = Tracker(), []
    for index, people in enumerate(moments):
        image = scene_image(people, index) if images else None
        tracked = tracker.update(index * STEP_S, found(people), image)
        ids.append(tracked.track_ids[tracked.boxes_xyxy[:, 0].argsort()].tolist())
    return ids


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
        tracker.update(index * STEP_S, found(people), scene_image(people))
    back = [(500, RED)]
    tracker.update(0.0, found([]), scene_image([]))
    assert tracker.update(0.1, found(back), scene_image(back)).track_ids.tolist() == [2]
