"""A cut is seen where it is, and nothing else is taken for one."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.benchmark.scene import SHOTS, CameraPath
from livepose.frame import ImageBgr
from livepose.tracking import ShotBoundaries

FILMS = ("webcam/gesture_man_hoodie.mkv", "sport/ball_juggling.mp4")


def test_the_cut_between_two_photographs_is_seen_and_no_other_image() -> None:
    scene = CameraPath(seconds_per_shot=0.5)
    per_shot = scene.frame_count // len(SHOTS)
    shots = ShotBoundaries()
    seen = [frame.index for frame in scene if shots.begins_shot(frame.image_bgr)]
    assert seen == [2 * per_shot]  # the first two shots go on from one view of a photograph


@pytest.mark.parametrize("clip", FILMS)
def test_a_film_of_one_shot_has_no_cut(shared: Path, clip: str) -> None:
    capture = cv2.VideoCapture(str(shared / "video" / clip))
    shots = ShotBoundaries()
    for number in range(150):
        grabbed, image = capture.read()
        assert grabbed and not shots.begins_shot(np.asarray(image, np.uint8)), f"image {number}"


def shot(seed: int, size_hw: tuple[int, int] = (240, 320)) -> ImageBgr:
    """Something to clip: large patches of grey, whose places the seed says."""
    patches = np.random.default_rng(seed).integers(30, 226, (6, 8), np.uint8)
    grey = cv2.resize(patches, size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)


def test_another_shot_is_a_cut_once() -> None:
    shots = ShotBoundaries()
    clips = [shot(1), shot(1), shot(2), shot(2), shot(1)]
    assert [shots.begins_shot(image) for image in clips] == [False, False, True, False, True]
    shots.reset()
    assert not shots.begins_shot(shot(2))


@pytest.mark.parametrize("change", ["darker", "flash", "noise", "black", "size"])
def test_light_noise_and_size_are_no_cut(change: str) -> None:
    image = shot(1)
    noise = np.random.default_rng(0).normal(0, 60, image.shape)
    changed = {
        "darker": (image * 0.3).astype(np.uint8),
        "flash": np.minimum(image.astype(int) + 70, 255).astype(np.uint8),
        "noise": np.clip(image + noise, 0, 255).astype(np.uint8),
        "black": np.zeros_like(image),
        "size": shot(1, (480, 640)),
    }[change]
    shots = ShotBoundaries()
    assert not shots.begins_shot(image)
    assert not shots.begins_shot(changed)


@pytest.mark.parametrize("grey", [0, 128])
def test_a_flat_image_is_no_cut_nor_is_the_one_after_it(grey: int) -> None:
    noise = np.random.default_rng(0).normal(grey, 8, (240, 320, 3))
    flat = np.clip(noise, 0, 255).astype(np.uint8)
    shots = ShotBoundaries()
    assert [shots.begins_shot(image) for image in (shot(1), flat, shot(1))] == [False] * 3
    assert [shots.begins_shot(image) for image in (flat, shot(2))] == [False, True]


def test_two_shots_whose_light_is_alike_are_told_apart() -> None:
    """Both bright above and dark below, as two rooms are: thumbnails correlate by 0.4."""
    light = np.linspace(40, -40, 240)[:, None, None]
    rooms = [np.clip(shot(seed) * 0.7 + 40 + light, 0, 255).astype(np.uint8) for seed in (1, 2)]
    shots = ShotBoundaries()
    assert [shots.begins_shot(room) for room in rooms] == [False, True]
