"""The way of a person on a GPU, run on the CPU: everything but the recorded graph itself."""

import numpy as np
import pytest
import torch
from gpu.toys import CARD, toy_runtime

from livepose.errors import DeviceError
from livepose.estimator import Estimates, PoseEstimator
from livepose.runtimes import gpu_poses as gpu
from livepose.runtimes.gpu_poses import GpuPoses

SIZES_HW = ((120, 160), (90, 200), (240, 320))


def picture(size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), np.uint8)


def boxes(count: int, size_hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    """People near and far, some beyond the edge."""
    random = np.random.default_rng(seed)
    corners = random.uniform(-0.2, 0.7, (count, 2)) * size_hw[::-1]
    sizes = random.uniform(0.1, 1.2, (count, 2)) * size_hw[::-1]
    return np.concatenate([corners, corners + sizes], axis=1)


def on_the_processor(estimator: PoseEstimator) -> PoseEstimator:
    """The same without its GPU: crops by the kernels, heatmaps, DARK by the kernels."""
    plain = PoseEstimator(estimator.runtime)
    plain.gpu = None
    return plain


def assert_same(ours: Estimates, theirs: Estimates) -> None:
    """One batch or another: convolutions may add in another order, so scores differ a little."""
    np.testing.assert_allclose(ours.keypoint_scores, theirs.keypoint_scores, atol=1e-4)
    np.testing.assert_allclose(ours.keypoints_xy, theirs.keypoints_xy, atol=0.02)
    np.testing.assert_allclose(ours.covariance_px2, theirs.covariance_px2, rtol=0.02, atol=1e-6)


@pytest.fixture
def estimator() -> PoseEstimator:
    made = PoseEstimator(toy_runtime())
    assert made.gpu is not None
    return made


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 9])
def test_any_number_of_people_is_estimated_as_on_the_processor(
    count: int, estimator: PoseEstimator
) -> None:
    image, people = picture(SIZES_HW[0]), boxes(count, SIZES_HW[0])
    ours = estimator.estimate(image, people)
    assert ours.keypoints_xy.shape == (count, CARD.keypoints, 2)
    assert ours.covariance_px2.shape == (count, CARD.keypoints, 2, 2)
    assert_same(ours, on_the_processor(estimator).estimate(image, people))
    assert count == 0 or np.isfinite(ours.keypoints_xy).all()


def test_people_of_several_pictures_go_in_one_batch_and_come_back_to_their_own(
    estimator: PoseEstimator,
) -> None:
    images = [picture(size, seed) for seed, size in enumerate(SIZES_HW)]
    people = [boxes(count, size) for count, size in zip((2, 0, 3), SIZES_HW, strict=True)]
    ours = estimator.estimate_frames(images, people)
    theirs = on_the_processor(estimator).estimate_frames(images, people)
    assert [len(one.keypoint_scores) for one in ours] == [2, 0, 3]
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one, other)
    assert estimator.estimate_frames([], []) == []


def test_a_person_without_a_box_has_no_place(estimator: PoseEstimator) -> None:
    people = np.array([[np.nan, 0.0, 50.0, 60.0], [10.0, 10.0, 60.0, 90.0]])
    found = estimator.estimate(picture(SIZES_HW[0]), people)
    assert np.isnan(found.keypoints_xy[0]).all()
    assert np.isfinite(found.keypoints_xy[1]).all()


def slots(estimator: PoseEstimator) -> dict[tuple[int, int], int]:
    assert estimator.gpu is not None
    return {key: id(slot) for key, slot in estimator.gpu._slots.items()}


def test_the_steady_state_records_nothing_and_moves_no_memory(estimator: PoseEstimator) -> None:
    gpu_poses = estimator.gpu
    assert gpu_poses is not None
    image, people = picture(SIZES_HW[2]), boxes(3, SIZES_HW[2])
    estimator.estimate(image, people)
    gpu_poses.warm_up((1, 2, 3, 4))
    before = slots(estimator), gpu_poses.frames.pixels.data_ptr(), gpu_poses.frames.moved
    for count in (1, 3, 4, 2, 0, 8):
        estimator.estimate(picture(SIZES_HW[count % 3], count), boxes(count, SIZES_HW[count % 3]))
    after = slots(estimator), gpu_poses.frames.pixels.data_ptr(), gpu_poses.frames.moved
    assert before == after
    assert sorted(before[0]) == [(b, s) for b in (1, 2, 4) for s in (1, 2, 4)]


def test_a_larger_picture_makes_new_room_and_new_graphs(estimator: PoseEstimator) -> None:
    gpu_poses = estimator.gpu
    assert gpu_poses is not None
    small, people = picture((64, 64)), boxes(2, (64, 64))
    first = estimator.estimate(small, people)
    estimator.estimate(picture((700, 900)), boxes(2, (700, 900)))
    moved = gpu_poses.frames.moved
    again = estimator.estimate(small, people)
    assert gpu_poses.frames.moved == moved
    assert_same(first, again)
    np.testing.assert_array_equal(first.keypoints_xy, again.keypoints_xy)


def test_an_answer_is_not_overwritten_by_the_next_one(estimator: PoseEstimator) -> None:
    people = boxes(2, SIZES_HW[0])
    first = estimator.estimate(picture(SIZES_HW[0], 1), people)
    kept = first.keypoint_scores.copy()
    estimator.estimate(picture(SIZES_HW[0], 2), people)
    np.testing.assert_array_equal(first.keypoint_scores, kept)


def test_a_camera_may_use_the_same_memory_for_every_picture(estimator: PoseEstimator) -> None:
    image, people = picture(SIZES_HW[0], 1), boxes(2, SIZES_HW[0])
    estimator.estimate(image, people)
    image[:] = picture(SIZES_HW[0], 2)
    second = estimator.estimate(image, people)
    assert_same(second, on_the_processor(estimator).estimate(image, people))


def test_other_decoders_use_heatmaps_on_the_processor(estimator: PoseEstimator) -> None:
    image, people = picture(SIZES_HW[0]), boxes(3, SIZES_HW[0])
    estimator.method = "argmax"
    found = estimator.estimate(image, people)
    assert np.isnan(found.covariance_px2).all()


def test_a_full_gpu_says_what_to_lower(
    estimator: PoseEstimator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(gpu, "gather", full)
    with pytest.raises(DeviceError, match=r"ran out of memory at 4 people .* lower --max-people"):
        estimator.estimate(picture(SIZES_HW[0]), boxes(4, SIZES_HW[0]))
    assert estimator.gpu is not None
    # What was sent is forgotten: the next picture may come in the same array.
    assert not estimator.gpu.frames._there
    estimator.gpu._slots.clear()
    with pytest.raises(DeviceError, match="ran out of memory at 2 people"):
        estimator.gpu.warm_up((2,))


def test_a_gpu_that_cuts_wrongly_is_found_out_and_the_processor_does_it(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right = gpu.gather
    monkeypatch.setattr(gpu, "gather", lambda *tables: right(*tables).flip(1))
    estimator = PoseEstimator(toy_runtime())
    assert estimator.gpu is None
    assert len(said) == 1
    assert said[0].startswith("crops and decoding on cpu give other keypoints than")
    assert said[0].endswith("expected); the processor does both")
    image, people = picture(SIZES_HW[0]), boxes(2, SIZES_HW[0])
    assert np.isfinite(estimator.estimate(image, people).keypoints_xy).all()


def test_nan_from_a_gpu_is_found_out_too(monkeypatch: pytest.MonkeyPatch) -> None:
    right = gpu.on_device.decode_dark
    monkeypatch.setattr(gpu.on_device, "decode_dark", lambda *maps: right(*maps) * torch.nan)
    assert PoseEstimator(toy_runtime()).gpu is None


def test_the_pictures_can_be_shared_with_a_detector() -> None:
    runtime = toy_runtime()
    estimator = PoseEstimator(runtime)
    assert isinstance(estimator.gpu, GpuPoses)
    frames = estimator.gpu.frames
    image = picture(SIZES_HW[0])
    frames.upload([image])
    pixels = frames.pixels.clone()
    image_before = image.copy()
    image[:] = 0  # would be seen if the estimator sent it again
    ours = estimator.estimate(image, boxes(1, SIZES_HW[0]))
    assert torch.equal(frames.pixels, pixels)
    plain = on_the_processor(estimator).estimate(image_before, boxes(1, SIZES_HW[0]))
    assert_same(ours, plain)
