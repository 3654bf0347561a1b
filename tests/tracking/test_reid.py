import numpy as np
import pytest
from people import box, found

from livepose.tracking import Tracker

STEP_S = 0.1
RED, BLUE, DARK = (40, 40, 200), (200, 60, 30), (17, 14, 12)
BOTH = [(100, RED), (300, BLUE)]
NOISE = np.random.default_rng(0).integers(0, 16, (3, 360, 640, 3), np.uint8)


def play(moments, images=True, back_at_zero=False):
    """Shows ``[(x, colour), ...]`` for each moment; the ids of the last, and of the first."""
    tracker, ids = Tracker(), []
    for index, people in enumerate(moments):
        image = np.full((360, 640, 3), 82, np.uint8) + NOISE[index % 3]
        for x, colour in people:
            image[100:300, x - 40 : x + 40] = colour + NOISE[index % 3, 100:300, :80]
        time_s = index * STEP_S
        if back_at_zero and index == len(moments) - 1:
            time_s = 0.0
        seen = found(*(box(x) for x, _ in people))
        tracked = tracker.update(time_s, seen, image if images else None)
        ids.append(tracked.track_ids[tracked.boxes_xyxy[:, 0].argsort()].tolist())
    return ids[-1], ids[0]


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
    last, first = play([before] * 15 + away + [after] * 10)
    assert last == (ids or first[::-1])


@pytest.mark.parametrize("how", [{"images": False}, {"back_at_zero": True}])
def test_without_images_nobody_is_known_again_nor_when_time_runs_backwards(how):
    last, _ = play([[(100, RED)]] * 15 + [[]] * 50 + [[(500, RED)]], **how)
    assert last == [2]
