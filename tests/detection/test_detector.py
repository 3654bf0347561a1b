"""From images to boxes of people: letterbox, suppression, one scale or two, and when."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.detection import (
    Detections,
    DetectionSchedule,
    TwoScales,
    detect_stills,
    open_detector,
)
from livepose.detection.checkpoint import ultralytics
from livepose.detection.detector import YoloDetector, joined, second_scale_px, suppress
from livepose.detection.files import DetectorInfo
from livepose.detection.letterbox import GREY, STRIDE, Letterbox

sides = st.integers(1, 3000)


@settings(max_examples=40, deadline=None)
@given(width=sides, height=sides, size_px=st.integers(32, 1280), seed=st.integers(0, 1000))
def test_the_input_is_the_smallest_of_whole_strides_and_a_box_comes_back(
    width, height, size_px, seed
):
    letterbox = Letterbox.fit((width, height), size_px)
    assert max(letterbox.scaled_wh) == size_px
    for scaled, whole in zip(letterbox.scaled_wh, letterbox.input_wh, strict=True):
        assert whole % STRIDE == 0 and 0 <= whole - scaled < STRIDE
    corners = np.random.default_rng(seed).uniform(0, 1, (5, 2, 2)) * [width, height]
    boxes_xyxy = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    back = letterbox.to_source(letterbox.to_input(boxes_xyxy))
    np.testing.assert_allclose(back, boxes_xyxy, atol=1e-9 * max(width, height))


def test_the_image_lies_in_the_middle_of_grey_and_boxes_end_at_its_edges():
    letterbox = Letterbox.fit((64, 30), 64)
    seen = letterbox.apply(np.full((30, 64, 3), 200, dtype=np.uint8))
    assert seen.shape == (32, 64, 3)
    assert np.all(seen[[0, -1]] == GREY) and np.all(seen[1:-1] == 200)
    assert letterbox.to_source(np.array([[-50.0, -50, 1000, 1000]])).tolist() == [[0, 0, 64, 30]]
    fixed = Letterbox.into((1280, 720), (640, 640))
    assert (fixed.scaled_wh, fixed.left_top) == ((640, 360), (0, 140))


class WhiteFinder:
    """Stands for a network: says where white is, as one of three classes by its brightness."""

    def __init__(self, input_wh=None, from_px=0):
        self.input_wh, self._from_px = input_wh, from_px

    def __call__(self, images_bgr):
        self.shape = images_bgr.shape
        return np.stack([self.candidates(image) for image in images_bgr])

    def prepare(self, input_wh):
        return True

    def candidates(self, image):
        found = np.zeros((7, 8), dtype=np.float32)  # 8 candidates: 4 + 3 classes
        white = np.argwhere(image[..., 0] > 180)
        if len(white) and image.shape[1] >= self._from_px:
            low, high = white.min(axis=0)[::-1], white.max(axis=0)[::-1] + 1
            found[:4, :3] = np.hstack([(low + high) / 2, high - low])[:, None]  # thrice the same
            found[4 + int(image.max() < 250), :3] = 0.9, 0.8, 0.7
        return found


def scene_image(box=(100, 60, 200, 300), size_wh=(640, 480), brightness=255):
    image = np.zeros((size_wh[1], size_wh[0], 3), dtype=np.uint8)
    left, top, right, bottom = box
    image[top:bottom, left:right] = brightness
    return image


def finder(size_px=None, score_threshold=None, recommended_px=None, **kwargs):
    info = DetectorInfo(person=0, classes=3, input_px=recommended_px)
    return YoloDetector(WhiteFinder(**kwargs), "white", info, size_px, score_threshold)


@pytest.mark.parametrize(
    ("box", "size_wh", "input_hw"),
    [
        ((100, 60, 200, 300), (640, 480), (320, 416)),
        ((30, 500, 90, 900), (300, 1000), (640, 192)),
        ((1000, 200, 1500, 1000), (1920, 1080), (384, 640)),
    ],
    ids=["small", "tall", "large"],
)
def test_boxes_come_back_in_source_pixels_from_an_input_that_suits(box, size_wh, input_hw):
    detector = finder()
    (found,) = detector([scene_image(box, size_wh)])
    assert detector.engine.shape == (1, *input_hw, 3)
    np.testing.assert_allclose(found.boxes_xyxy, [box], atol=4)
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-6)  # one of three on one place


def test_other_classes_and_weak_boxes_are_left_out():
    assert len(finder()([scene_image(brightness=200)])[0]) == 0
    assert len(finder(score_threshold=0.95)([scene_image()])[0]) == 0
    assert finder()([]) == []


def test_images_of_one_shape_go_in_one_batch_and_answers_keep_their_order():
    detector, black = finder(size_px=320), np.zeros((480, 640, 3), np.uint8)
    right = scene_image((300, 100, 500, 400))
    found = detector([scene_image(), scene_image((10, 10, 50, 90), (480, 640)), black, right])
    assert [len(each) for each in found] == [1, 1, 0, 1]
    assert found[2].boxes_xyxy.shape == (0, 4)
    np.testing.assert_allclose(found[3].boxes_xyxy, [[300, 100, 500, 400]], atol=2)
    detector([scene_image(), black, right])
    assert detector.engine.shape == (3, 256, 320, 3)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((10, 10), "u1"), ((10, 10, 4), "u1"), ((0, 10, 3), "u1"), ((9, 9, 3), "f4")],
)
def test_what_is_no_colour_image_is_refused(shape, kind):
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        finder()([np.zeros(shape, kind)])


def test_a_second_scale_adds_the_small_people_of_a_larger_input():
    detector = finder(recommended_px=320, from_px=321)
    small = scene_image((100, 60, 130, 160))
    assert len(detector([small])[0]) == 0
    both = detector.both_scales(small, wait=False)
    assert both.small == 1
    np.testing.assert_allclose(both.people.boxes_xyxy, [[100, 60, 130, 160]], atol=2.0)
    assert not len(detector.both_scales(scene_image(), wait=True).people), "the usual one's to see"
    assert detector.engine.shape == (1, 384, 512, 3)


def test_stills_are_seen_at_both_scales_of_which_the_larger_fits_every_shape():
    detector = finder(recommended_px=320, from_px=321)
    small, turned, tiny = (100, 60, 130, 160), (60, 100, 160, 130), (10, 10, 50, 90)
    for box, size_wh in ((small, (640, 480)), (turned, (480, 640))):
        [found] = detect_stills(detector, [scene_image(box, size_wh)])
        np.testing.assert_allclose(found.boxes_xyxy, [box], atol=2.0)
        assert detector.engine.shape == (1, 512, 512, 3)
    # No larger input is of use for the second; the answers keep their order.
    stills = scene_image(small), scene_image(tiny, (320, 240)), scene_image(turned, (480, 640))
    assert [len(each) for each in detect_stills(detector, stills)] == [1, 0, 1]


def test_there_is_no_second_scale_where_it_is_no_larger_or_a_size_was_asked_for():
    image, small = scene_image(), scene_image(size_wh=(320, 240))
    assert finder(recommended_px=320).both_scales(small, wait=True) is None
    assert finder(size_px=320).both_scales(image, wait=True) is None
    assert finder(input_wh=(320, 320)).both_scales(image, wait=True) is None
    assert second_scale_px((1920, 1080), 416) == 672  # 665.6, in whole strides
    assert second_scale_px((400, 300), 320) == 416  # no larger than the image, in whole strides


def people(*rows):
    rows = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return Detections(rows[:, :4], rows[:, 4])


def test_small_people_come_from_the_larger_input_and_of_two_boxes_the_surer_stays():
    half = Letterbox.fit((640, 480), 320)  # 160 px in the image are as large as small people get
    usual = people((100, 50, 300, 450, 0.5))
    closer = people((110, 40, 310, 470, 0.9), (400, 100, 440, 259, 0.8), (500, 100, 540, 261, 0.7))
    both = joined(usual, closer, half)
    assert both.people.boxes_xyxy.tolist() == [[400, 100, 440, 259], [100, 50, 300, 450]]
    assert (both.people.scores.tolist(), both.small) == ([0.8, 0.5], 1)
    usual = people((0, 0, 40, 100, 0.9), (100, 0, 140, 100, 0.3))
    closer = people((102, 0, 142, 100, 0.6), (1, 0, 41, 100, 0.4))
    both = joined(usual, closer, half)
    assert both.people.boxes_xyxy.tolist() == [[0, 0, 40, 100], [102, 0, 142, 100]]
    assert both.small == 1  # who is seen by the usual input asks for no larger one


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


@pytest.mark.parametrize("classes", [1, 3])
def test_the_same_boxes_stay_as_in_ultralytics(classes):
    ultralytics()  # quietly
    from ultralytics.utils import nms

    rng, count, person = np.random.default_rng(classes), 300, classes - 1
    places = rng.uniform(50, 350, (8, 2))[rng.integers(8, size=count)]  # around which boxes crowd
    xywh = np.hstack([places + rng.normal(0, 12, (count, 2)), rng.uniform(40, 120, (count, 2))])
    scores = rng.beta(0.6, 1.5, (count, classes))
    predictions = np.hstack([xywh, scores]).T.astype(np.float32)
    (theirs,) = nms.non_max_suppression(
        torch.from_numpy(predictions[None]).clone(),
        conf_thres=0.25,
        iou_thres=0.7,
        classes=[person],
        nc=classes,
    )
    ours = suppress(predictions, person, classes, 0.25)
    assert len(ours) == len(theirs) > 5
    np.testing.assert_allclose(ours, theirs.numpy()[:, :5], atol=1e-3)


def test_networks_that_need_no_suppression_are_taken_at_their_word():
    rows = np.array([[0, 0, 9, 9, 0.5, 1], [1, 1, 9, 9, 0.9, 0], [1, 1, 9, 9, 0.95, 0]], "f4")
    found = suppress(np.concatenate([rows, rows * 0]), 0, 80, 0.25)
    np.testing.assert_allclose(found, [[1, 1, 9, 9, 0.95], [1, 1, 9, 9, 0.9]], atol=1e-6)


# -- when the second scale is looked at ------------------------------------------------------------

NOBODY = people()


class Watched:
    """Notes when both scales were looked at; shows somebody small in the images of those times."""

    def __init__(self, small_at=lambda time_s: False, ready=lambda: True):
        self.close_s, self.asked = [], []
        self._small_at, self._ready = small_at, ready

    def __call__(self, images_bgr):
        return [NOBODY for _ in images_bgr]

    def both_scales(self, image_bgr, wait):
        self.asked.append(wait)
        if not self._ready():
            return None
        self.close_s.append(self.time_s)
        return TwoScales(NOBODY, int(self._small_at(self.time_s)))


def watch(detector, times_s, schedule=None):
    """The times of both scales."""
    schedule = schedule or DetectionSchedule()
    for detector.time_s in times_s:
        schedule.detect(detector, scene_image(), detector.time_s)
    return detector.close_s


@pytest.mark.parametrize(("wait", "first_s"), [(True, 0.0), (False, 0.5)], ids=["file", "live"])
def test_the_first_detection_takes_both_scales_and_then_one_every_few_seconds(wait, first_s):
    schedule = DetectionSchedule()
    schedule.wait = wait
    close_s = watch(Watched(), np.arange(0, 10, 0.5), schedule)
    assert close_s == list(np.arange(first_s, 10, 3.0))


def test_both_scales_are_taken_while_somebody_small_is_there_and_a_moment_longer():
    close_s = watch(Watched(lambda time_s: 3 <= time_s <= 5), np.arange(0, 12, 0.5))
    assert close_s == [0.0, *np.arange(3.0, 7, 0.5), 9.5]


def test_the_second_scale_is_taken_as_soon_as_it_is_ready():
    ready = iter([False, False, True])
    detector, schedule = Watched(ready=lambda: next(ready)), DetectionSchedule()
    schedule.wait = False
    assert watch(detector, (0.0, 0.1, 0.2, 0.3, 0.4), schedule) == [0.3]
    assert detector.asked == [False] * 3


def test_a_stream_that_begins_again_is_looked_at_anew():
    assert watch(Watched(), (0.0, 0.1, 0.2, 0.0, 0.1)) == [0.0, 0.0]
    schedule, detector = DetectionSchedule(), Watched()
    watch(detector, (0.0, 0.1), schedule)
    schedule.reset()
    assert watch(detector, (0.2, 0.3), schedule) == [0.0, 0.2]
