"""A cut is seen where it is, and nothing else is taken for one."""

import cv2
import numpy as np
import pytest

from livepose.benchmark.scene import SHOTS, CameraPath
from livepose.tracking import ShotBoundaries


def test_the_cut_between_two_photographs_is_seen_and_no_other_image():
    scene = CameraPath(seconds_per_shot=0.5)
    per_shot = scene.frame_count // len(SHOTS)
    shots = ShotBoundaries()
    seen = [frame.index for frame in scene if shots.begins_shot(frame.image_bgr)]
    assert seen == [2 * per_shot]  # the first two shots go on from one view of a photograph
    shots.reset()
    assert not shots.begins_shot(ONE)


@pytest.mark.parametrize("clip", ["webcam/gesture_man_hoodie.mkv", "sport/ball_juggling.mp4"])
def test_a_film_of_one_shot_has_no_cut(shared, clip):
    capture = cv2.VideoCapture(str(shared / "video" / clip))
    shots = ShotBoundaries()
    for number in range(150):
        grabbed, image = capture.read()
        assert grabbed and not shots.begins_shot(np.asarray(image, np.uint8)), f"image {number}"


def shot(seed, size_hw=(240, 320)):
    """Large patches of grey, whose places the seed says."""
    patches = np.random.default_rng(seed).integers(30, 226, (6, 8), np.uint8)
    grey = cv2.resize(patches, size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)


def levels(image):
    return np.asarray(np.clip(image, 0, 255), dtype=np.uint8)


ONE, OTHER = shot(1), shot(2)
NOISE = np.random.default_rng(0).normal(0, 1, ONE.shape)
LIGHT = np.linspace(40, -40, 240)[:, None, None]  # two rooms, both bright above: alike by 0.4
ROOMS = [levels(image * 0.7 + 40 + LIGHT) for image in (ONE, OTHER)]


@pytest.mark.parametrize(
    ("images", "cuts"),
    [
        ([ONE, ONE, OTHER, OTHER, ONE], [2, 4]),
        (ROOMS, [1]),
        ([ONE, levels(ONE * 0.3)], []),
        ([ONE, levels(ONE + 70.0)], []),
        ([ONE, levels(ONE + 60 * NOISE)], []),
        ([ONE, np.zeros_like(ONE)], []),
        ([ONE, shot(1, (480, 640))], []),
        ([ONE, levels(8 * NOISE), ONE, levels(8 * NOISE), OTHER], [4]),
        ([ONE, levels(128 + 8 * NOISE), ONE, levels(128 + 8 * NOISE), OTHER], [4]),
    ],
    ids=[
        *("another shot, once", "two rooms of one light", "darker", "flash", "noise", "black"),
        *("size", "black in between", "grey in between"),
    ],
)
def test_another_shot_is_a_cut_and_light_noise_size_and_flat_images_are_none(images, cuts):
    shots = ShotBoundaries()
    assert [number for number, image in enumerate(images) if shots.begins_shot(image)] == cuts
