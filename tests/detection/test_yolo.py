import numpy as np
import pytest

from livepose.detection import Detections
from livepose.detection.checkpoint import TorchEngine, load_detector
from livepose.detection.detector import YoloDetector, default_size_px


class WhiteFinder:
    """Stands for a network: says where white is, as one of three classes by its brightness."""

    name = "white finder"
    input_wh = None

    def __call__(self, pictures_bgr):
        self.shape = pictures_bgr.shape
        rows = [self.candidate(picture) for picture in pictures_bgr]
        return np.stack(rows)

    def candidate(self, picture):
        found = np.zeros((7, 8), dtype=np.float32)  # 8 candidates: 4 + 3 classes
        white = np.argwhere(picture[..., 0] > 180)
        if len(white):
            (top, left), (bottom, right) = white.min(axis=0), white.max(axis=0) + 1
            for column in range(3):  # the same box thrice: suppression keeps one
                found[:4, column] = (
                    (left + right) / 2,
                    (top + bottom) / 2,
                    right - left,
                    bottom - top,
                )
                found[4 + int(picture.max() < 250), column] = 0.9 - 0.1 * column
        return found


def picture(box=(100, 60, 200, 300), size_wh=(640, 480), brightness=255):
    image = np.zeros((size_wh[1], size_wh[0], 3), dtype=np.uint8)
    left, top, right, bottom = box
    image[top:bottom, left:right] = brightness
    return image


def finder(**kwargs):
    return YoloDetector(WhiteFinder(), "white", person=0, classes=3, **kwargs)


def test_boxes_come_back_in_source_pixels():
    (found,) = finder(size_px=320)([picture()])
    assert isinstance(found, Detections)
    np.testing.assert_allclose(found.boxes_xyxy, [[100, 60, 200, 300]], atol=2.0)
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-6)
    assert found.boxes_xyxy.dtype == found.scores.dtype == np.float64


def test_boxes_come_back_from_a_tall_and_a_large_picture():
    tall = picture((30, 500, 90, 900), (300, 1000))
    large = picture((1000, 200, 1500, 1000), (1920, 1080))
    first, second = finder()([tall, large])
    np.testing.assert_allclose(first.boxes_xyxy, [[30, 500, 90, 900]], atol=2.5)
    np.testing.assert_allclose(second.boxes_xyxy, [[1000, 200, 1500, 1000]], atol=4)


def test_other_classes_than_person_are_left_out():
    assert len(finder()([picture(brightness=200)])[0]) == 0


def test_overlapping_boxes_are_suppressed_to_the_surest():
    assert finder()([picture()])[0].scores.tolist() == pytest.approx([0.9])


def test_weak_boxes_are_left_out_below_the_threshold():
    assert len(finder(score_threshold=0.95)([picture()])[0]) == 0


def test_no_pictures_give_no_answers():
    assert finder()([]) == []


def test_an_empty_picture_gives_no_people():
    (found,) = finder()([np.zeros((100, 100, 3), np.uint8)])
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.scores.shape == (0,)


def test_pictures_of_one_shape_go_in_one_batch_and_answers_keep_their_order():
    detector = finder(size_px=320)
    images = [
        picture(),
        picture((10, 10, 50, 90), (480, 640)),
        np.zeros((480, 640, 3), np.uint8),
        picture((300, 100, 500, 400)),
    ]
    found = detector(images)
    assert [len(each) for each in found] == [1, 1, 0, 1]
    np.testing.assert_allclose(found[3].boxes_xyxy, [[300, 100, 500, 400]], atol=2)
    detector([images[0], images[2], images[3]])
    assert detector.engine.shape == (3, 256, 320, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_what_is_no_colour_picture_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        finder()([wrong])


def test_views_and_read_only_pictures_are_fine_and_stay_as_they_are():
    image = picture()
    view = image[:, ::-1]
    image.setflags(write=False)
    before = image.copy()
    (found,) = finder()([view])
    np.testing.assert_allclose(found.boxes_xyxy, [[440, 60, 540, 300]], atol=2)
    np.testing.assert_array_equal(image, before)


def test_a_second_scale_adds_the_small_people_of_a_larger_input():
    class FarSighted(WhiteFinder):
        def candidate(self, picture):
            seen = super().candidate(picture)
            return seen if picture.shape[1] > 320 else np.zeros_like(seen)

    detector = YoloDetector(FarSighted(), "far", person=0, classes=3, size_px=320, adapts=True)
    small, large = picture((100, 60, 130, 160)), picture()
    assert detector.can_detect_small((640, 480), wait=False)
    assert len(detector([small])[0]) == 0
    look = detector.detect_small(small)
    assert look.small == 1
    np.testing.assert_allclose(look.people.boxes_xyxy, [[100, 60, 130, 160]], atol=2.0)
    assert len(detector.detect_small(large).people) == 0  # it is for the usual input to see
    assert detector.engine.shape == (1, 384, 512, 3)


def test_without_a_larger_input_a_second_scale_is_the_usual_one():
    detector = finder(size_px=320, adapts=True)
    image = picture((30, 20, 60, 90), (320, 240))
    assert not detector.can_detect_small((320, 240), wait=True)
    look = detector.detect_small(image)
    np.testing.assert_array_equal(look.people.boxes_xyxy, detector([image])[0].boxes_xyxy)


def test_a_size_that_was_asked_for_and_a_fixed_input_stay():
    assert not finder(size_px=320).can_detect_small((640, 480), wait=True)
    fixed = WhiteFinder()
    fixed.input_wh = (320, 320)
    detector = YoloDetector(fixed, "fixed", person=0, classes=3, adapts=True)
    assert not detector.can_detect_small((640, 480), wait=True)


def test_small_pictures_are_seen_small_and_large_ones_larger():
    assert default_size_px((640, 480)) == default_size_px((480, 848)) == 416
    assert default_size_px((1280, 720)) == default_size_px((1080, 1920)) == 640


def test_a_real_network_says_the_same_of_a_batch_as_of_each(own_file):
    loaded = load_detector(own_file)
    engine = TorchEngine(loaded.model, "cpu")
    detector = YoloDetector(engine, "random", loaded.info.person, loaded.info.classes, 96, 0.2)
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(3)]
    together = engine(np.stack([detector._letterbox(image).apply(image) for image in images]))
    for image, predicted in zip(images, together, strict=True):
        alone = engine(detector._letterbox(image).apply(image)[None])[0]
        np.testing.assert_allclose(predicted, alone, atol=1e-3)
    for found in detector(images):
        assert len(found) > 0
        assert np.all(found.boxes_xyxy[:, :2] >= 0)
        assert np.all(found.boxes_xyxy[:, 2:] <= [120, 90])
        assert np.all(np.diff(found.scores) <= 0)
