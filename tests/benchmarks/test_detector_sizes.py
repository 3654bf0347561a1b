"""What each input size of the detector finds: the counting."""

import numpy as np

from benchmarks.detector_sizes import recalls, share
from livepose.detection import Detections

NOBODY = np.empty((0, 4))
LOW, TALL = [0.0, 0.0, 20.0, 50.0], [100.0, 0.0, 200.0, 300.0]


def seen(*boxes: list[float]) -> Detections:
    return Detections(np.array(boxes, dtype=np.float64).reshape(-1, 4), np.ones(len(boxes)))


def test_people_are_counted_by_their_height_in_the_input() -> None:
    found = [
        (np.array([LOW, TALL]), seen(TALL), 640),
        (np.array([TALL]), seen(), 320),
        (NOBODY, seen(LOW), 640),
    ]
    # In an input of 320 px: 25 and 150 px high in the first picture, 300 px in the second.
    assert recalls(found, (0, 24, 100, 200, np.inf), 320) == [
        "-",
        "0.00 (1)",
        "1.00 (1)",
        "0.00 (1)",
    ]
    assert recalls(found, (0, 0.5, np.inf), 1.0) == ["0.50 (2)", "0.00 (1)"]


def test_a_clip_is_told_in_people_a_frame_and_the_part_that_is_equalled() -> None:
    wanted = [np.array([LOW, TALL]), np.array([TALL])]
    assert share([np.array([TALL, LOW]), NOBODY], wanted) == "1.0 (0.67)"
    assert share([NOBODY, NOBODY], [NOBODY, NOBODY]) == "0.0 (nan)"
