"""From images to boxes of people: letterbox, suppression, one scale or two."""

import cv2
import numpy as np
import pytest
import torch

from livepose.detection import Detections, detect_stills, open_detector
from livepose.detection.checkpoint import ultralytics
from livepose.detection.detector import YoloDetector, joined, second_scale_px, suppress
from livepose.detection.files import DetectorInfo
from livepose.detection.letterbox import Letterbox


class WhiteFinder:
    """Stands for a network: says where white is, as one of three classes by its brightness."""

    name = "white finder"

    def __init__(self, input_wh=None, from_px=0):
        self.input_wh, self._from_px = input_wh, from_px

    def __call__(self, images_bgr):
        self.shape = images_bgr.shape
        return np.stack([self.candidate(image) for image in images_bgr])

    def prepare(self, input_wh):
        return True

    def candidate(self, image):
        found = np.zeros((7, 8), dtype=np.float32)  # 8 candidates: 4 + 3 classes
        white = np.argwhere(image[..., 0] > 180)
        if len(white) and image.shape[1] >= self._from_px:
            (top, left), (bottom, right) = white.min(axis=0), white.max(axis=0) + 1
            for column in range(3):  # the same box thrice: suppression keeps one
                middle = (left + right) / 2, (top + bottom) / 2
                found[:4, column] = (*middle, right - left, bottom - top)
                found[4 + int(image.max() < 250), column] = 0.9 - 0.1 * column
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
    (empty,) = finder()([np.zeros((100, 100, 3), np.uint8)])
    assert empty.boxes_xyxy.shape == (0, 4) and empty.scores.shape == (0,)


def test_images_of_one_shape_go_in_one_batch_and_answers_keep_their_order():
    detector, black = finder(size_px=320), np.zeros((480, 640, 3), np.uint8)
    right = scene_image((300, 100, 500, 400))
    found = detector([scene_image(), scene_image((10, 10, 50, 90), (480, 640)), black, right])
    assert [len(each) for each in found] == [1, 1, 0, 1]
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
    small, large = scene_image((100, 60, 130, 160)), scene_image()
    assert len(detector([small])[0]) == 0
    look = detector.both_scales(small, wait=False)
    assert look.small == 1
    np.testing.assert_allclose(look.people.boxes_xyxy, [[100, 60, 130, 160]], atol=2.0)
    assert (
        len(detector.both_scales(large, wait=True).people) == 0
    )  # it is for the usual input to see
    assert detector.engine.shape == (1, 384, 512, 3)


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
    look = joined(usual, closer, half)
    assert look.people.boxes_xyxy.tolist() == [[400, 100, 440, 259], [100, 50, 300, 450]]
    assert (look.people.scores.tolist(), look.small) == ([0.8, 0.5], 1)

    usual = people((0, 0, 40, 100, 0.9), (100, 0, 140, 100, 0.3))
    closer = people((102, 0, 142, 100, 0.6), (1, 0, 41, 100, 0.4))
    look = joined(usual, closer, half)
    assert look.people.boxes_xyxy.tolist() == [[0, 0, 40, 100], [102, 0, 142, 100]]
    assert look.small == 1  # who is seen by the usual input asks for no larger one
    assert joined(people((0, 0, 40, 100, 0.9)), people(), half).small == 0


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
