"""When the second scale is looked at too."""

import numpy as np

from livepose.detection import Detections, DetectionSchedule, TwoScales

IMAGE = np.zeros((480, 640, 3), np.uint8)
NOBODY = Detections(np.empty((0, 4)), np.empty(0))


class Watched:
    """Notes which looks were close; shows somebody small in the images of those times."""

    name = "watched"

    def __init__(self, small_at=lambda time_s: False, ready=lambda: True):
        self.close, self.asked = [], []
        self._small_at, self._ready = small_at, ready

    def __call__(self, images_bgr):
        return [NOBODY for _ in images_bgr]

    def both_scales(self, image_bgr, wait):
        self.asked.append(wait)
        if not self._ready():
            return None
        self.close.append(self.time_s)
        return TwoScales(NOBODY, int(self._small_at(self.time_s)))


def watch(detector, times_s, schedule=None):
    """The times of both scales."""
    schedule = schedule or DetectionSchedule()
    for time_s in times_s:
        detector.time_s = time_s
        schedule.detect(detector, IMAGE, time_s)
    return detector.close


def test_the_second_detection_takes_both_scales_and_then_one_every_few_seconds():
    assert watch(Watched(), np.arange(0, 10, 0.5)) == [0.5, 3.5, 6.5, 9.5]


def test_both_scales_are_taken_while_somebody_small_is_there_and_a_moment_longer():
    close = watch(Watched(lambda time_s: 3 <= time_s <= 5), np.arange(0, 12, 0.5))
    assert close == [0.5, *np.arange(3.5, 7, 0.5), 9.5]


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
