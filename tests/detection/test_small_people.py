import cv2
import numpy as np
import pytest

from livepose.detection import (
    Detections,
    DetectionSchedule,
    TwoScales,
    detect_stills,
    open_detector,
)
from livepose.detection.detector import joined, second_scale_px
from livepose.detection.letterbox import Letterbox

PICTURE = np.zeros((480, 640, 3), np.uint8)
USUAL = Letterbox.fit((640, 480), 320)  # half as large: 160 px in the picture are SMALL_PX


def people(*rows):
    rows = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Detections(rows[:, :4], rows[:, 4])


@pytest.mark.parametrize(
    ("source_wh", "usual_px", "expected"),
    [
        ((1920, 1080), 320, 512),
        ((480, 640), 320, 512),
        ((1920, 1080), 416, 672),  # 665.6, in whole strides
        ((400, 300), 320, 416),  # no larger than the picture, in whole strides
        ((320, 240), 320, None),
        ((640, 480), 640, None),
    ],
)
def test_the_larger_input_is_no_larger_than_the_picture(source_wh, usual_px, expected):
    assert second_scale_px(source_wh, usual_px) == expected


def test_small_people_come_from_the_larger_input_and_the_others_from_the_usual_one():
    usual = people((100, 50, 300, 450, 0.5))
    closer = people((110, 40, 310, 470, 0.9), (400, 100, 440, 259, 0.8), (500, 100, 540, 261, 0.7))
    look = joined(usual, closer, USUAL)
    assert look.people.boxes_xyxy.tolist() == [[400, 100, 440, 259], [100, 50, 300, 450]]
    assert look.people.scores.tolist() == [0.8, 0.5]
    assert look.small == 1


def test_of_two_boxes_of_one_person_the_surer_stays():
    usual = people((0, 0, 40, 100, 0.9), (100, 0, 140, 100, 0.3))
    closer = people((102, 0, 142, 100, 0.6), (1, 0, 41, 100, 0.4))
    look = joined(usual, closer, USUAL)
    assert look.people.boxes_xyxy.tolist() == [[0, 0, 40, 100], [102, 0, 142, 100]]
    assert look.small == 1


def test_somebody_small_whom_the_usual_input_shows_asks_for_no_larger_one():
    assert joined(people((0, 0, 40, 100, 0.9)), people(), USUAL).small == 0
    assert joined(people(), people(), USUAL).small == 0


class Watched:
    """Notes which looks were close; shows somebody small in the pictures of those times."""

    name = "watched"

    def __init__(self, small_at=lambda time_s: False, ready=lambda: True):
        self.close, self.asked = [], []
        self._small_at, self._ready = small_at, ready

    def __call__(self, images_bgr):
        return [people() for _ in images_bgr]

    def can_detect_small(self, source_wh, wait):
        assert source_wh == (640, 480)
        self.asked.append(wait)
        return self._ready()

    def detect_small(self, image_bgr):
        self.close.append(self.time_s)
        small = self._small_at(self.time_s)
        return TwoScales(people((0, 0, 10, 20, 0.5)) if small else people(), int(small))


def watch(detector, times_s, schedule=None):
    """The times of both scales."""
    schedule = schedule or DetectionSchedule()
    for time_s in times_s:
        detector.time_s = time_s
        schedule.detect(detector, PICTURE, time_s)
    return detector.close


def test_the_second_detection_takes_both_scales_and_then_one_every_few_seconds():
    assert watch(Watched(), np.arange(0, 10, 0.5)) == [0.5, 3.5, 6.5, 9.5]


def test_both_scales_are_taken_while_somebody_small_is_there_and_a_moment_longer():
    close = watch(Watched(lambda time_s: 3 <= time_s <= 5), np.arange(0, 12, 0.5))
    assert close == [0.5, *np.arange(3.5, 7, 0.5), 9.5]


def test_what_the_second_scale_shows_is_handed_out():
    detector, schedule = Watched(lambda time_s: True), DetectionSchedule()
    detector.time_s = 0.0
    assert len(schedule.detect(detector, PICTURE, 0.0)) == 0
    assert len(schedule.detect(detector, PICTURE, 0.1)) == 1


def test_the_second_scale_is_taken_as_soon_as_it_is_ready():
    ready = iter([False, False, True])
    detector, schedule = Watched(ready=lambda: next(ready)), DetectionSchedule()
    schedule.wait = False
    assert watch(detector, (0.0, 0.1, 0.2, 0.3, 0.4), schedule) == [0.3]
    assert detector.asked == [False] * 3


def test_a_stream_that_begins_again_is_looked_at_anew():
    assert watch(Watched(), (0.0, 0.1, 0.2, 0.0, 0.1)) == [0.1, 0.1]
    schedule, detector = DetectionSchedule(), Watched()
    watch(detector, (0.0, 0.1), schedule)
    schedule.reset()
    assert watch(detector, (0.2, 0.3), schedule) == [0.1, 0.3]


def test_a_detector_that_has_no_second_scale_detects_as_always():
    seen = people((0, 0, 10, 20, 0.5))
    schedule = DetectionSchedule()
    for time_s in (0.0, 0.1, 0.2):
        assert schedule.detect(lambda images: [seen], PICTURE, time_s) is seen


def test_a_crowd_in_a_very_large_still_is_found(shared):
    image = cv2.imread(str(shared / "images" / "skier.jpg"))
    person = cv2.resize(image[23:397, 260:522], None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    crowd = np.full((2160, 3840, 3), 120, np.uint8)
    height, width = person.shape[:2]
    for row, column in np.ndindex(10, 20):
        y, x = 216 * row + 10, 192 * column + 10
        crowd[y : y + height, x : x + width] = person
    detector = open_detector("embedded", "cpu")
    assert len(detector([crowd])[0]) < 100
    assert 190 <= len(detect_stills(detector, [crowd])[0]) <= 210
