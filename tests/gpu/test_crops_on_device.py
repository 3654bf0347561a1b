"""Crops by tables of taps, as a device gathers them, against the kernels that cut on a CPU."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from livepose.crops import CropGeometry, cut_crops
from livepose.crops.taps import SAMPLES, fill_taps, samples_needed
from livepose.runtimes.cuda_graph import CudaStream
from livepose.runtimes.frames import DeviceFrames, TapBuffers, gather


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def empty_taps(crops, input_hw, samples):
    return TapBuffers(CudaStream("cpu"), crops, input_hw, samples).taps


def gathered(images, matrices, which, input_hw, samples=None):
    """Crops of several pictures; crop p is cut from picture ``which[p]``."""
    frames = DeviceFrames(CudaStream("cpu"))
    starts = frames.upload(images)
    places = np.array([(starts[w], *images[w].shape[:2]) for w in which]).reshape(-1, 3)
    taps = empty_taps(len(matrices), input_hw, samples or samples_needed(matrices))
    fill_taps(matrices, places, taps)
    tables = (taps.rows, taps.columns, taps.row_weights, taps.column_weights)
    return gather(frames.pixels, tuple(map(torch.from_numpy, tables))).numpy()


def upright(spans, centres, input_hw):
    maps = np.zeros((len(spans), 2, 3))
    middle = (np.array(input_hw[::-1]) - 1) / 2
    for matrix, span, centre in zip(maps, spans, centres, strict=True):
        matrix[:, :2] = np.diag(1 / np.array(span))
        matrix[:, 2] = middle - matrix[:, :2] @ centre
    return maps


span = st.floats(0.2, 12) | st.floats(-12, -0.2)


@settings(deadline=None, max_examples=120)
@given(
    people=st.lists(st.tuples(span, span, st.floats(-9, 35), st.floats(-9, 35)), max_size=4),
    size_hw=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    input_hw=st.tuples(st.integers(1, 9), st.integers(1, 7)),
)
def test_gathered_crops_are_the_bytes_that_the_kernels_cut(people, size_hw, input_hw):
    image = noise(*size_hw)
    maps = upright([one[:2] for one in people], [one[2:] for one in people], input_hw)
    ours = gathered([image], maps, [0] * len(maps), input_hw)
    np.testing.assert_array_equal(ours, cut_crops(image, maps, input_hw))


@pytest.mark.parametrize("alignment", ("pixel_centre", "hrnet", "dark", "udp"))
def test_people_of_any_size_are_cut_as_on_the_cpu(alignment):
    image = noise(360, 480)
    geometry = CropGeometry(alignment, (128, 96))
    boxes = np.array(
        [
            [10, 10, 40, 80],
            [100, 20, 200, 300],
            [-50, -50, 500, 400],
            [300, 100, 301, 101],
            [460, 340, 600, 500],
            [5000, 5000, 5100, 5300],
            [np.nan, 0, 1, 1],
            [-1e300, -1e300, 1e300, 1e300],
        ]
    )
    maps = geometry.matrices(boxes)
    assert samples_needed(maps) == max(SAMPLES)
    crops = gathered([image], maps, [0] * len(maps), (128, 96))
    np.testing.assert_array_equal(crops, cut_crops(image, maps, (128, 96)))
    assert not crops[5:7].any()
    assert [samples_needed(maps[p : p + 1]) for p in range(3)] == [1, 2, 4]


def test_crops_of_several_pictures_come_from_their_own():
    images = [noise(40, 50, 1), noise(61, 30, 2), noise(20, 20, 3)]
    maps = upright([(1.3, 1.3)] * 4, [(20, 20), (10, 30), (8, 9), (25, 10)], (16, 12))
    which = [2, 0, 1, 0]
    crops = gathered(images, maps, which, (16, 12))
    for crop, matrix, w in zip(crops, maps, which, strict=True):
        np.testing.assert_array_equal(crop, cut_crops(images[w], matrix[None], (16, 12))[0])


def test_larger_tables_than_needed_change_nothing():
    image = noise(60, 60)
    maps = upright([(1.5, 1.5)], [(30, 30)], (16, 12))
    for samples in SAMPLES:
        np.testing.assert_array_equal(
            gathered([image], maps, [0], (16, 12), samples), cut_crops(image, maps, (16, 12))
        )


def test_tables_left_over_from_before_do_not_matter():
    image = noise(60, 60)
    maps = upright([(7.0, 7.0), (1.0, 1.0)], [(30, 30), (12, 40)], (16, 12))
    taps = empty_taps(2, (16, 12), 4)
    places = np.array([(0, 60, 60)] * 2)
    fill_taps(maps, places, taps)
    fill_taps(maps[1:], places[:1], taps)
    tables = (taps.rows, taps.columns, taps.row_weights, taps.column_weights)
    crops = gather(
        torch.from_numpy(image.reshape(-1, 3)), tuple(map(torch.from_numpy, tables))
    ).numpy()
    np.testing.assert_array_equal(crops[0], cut_crops(image, maps[1:], (16, 12))[0])


def test_what_does_not_fit_is_refused():
    turned = CropGeometry("hrnet", (16, 12)).matrices([[0, 0, 9, 9]], 30.0)
    places = np.array([(0, 20, 20)])
    with pytest.raises(ValueError, match="do not turn"):
        fill_taps(turned, places, empty_taps(1, (16, 12), 1))
    large = upright([(6.0, 6.0)], [(5, 5)], (16, 12))
    with pytest.raises(ValueError, match=r"at least 1 crops and 8 taps, got 1 and 4"):
        fill_taps(large, places, empty_taps(1, (16, 12), 2))


def test_a_picture_is_sent_once_and_again_when_it_may_have_changed():
    frames = DeviceFrames(CudaStream("cpu"))
    first, second = noise(4, 5, 1), noise(6, 7, 2)
    assert frames.upload([first, second]) == [0, 20]
    assert frames.moved == 2
    first[:] = 9
    assert frames.upload([second, first]) == [20, 0]
    assert frames.pixels[0].tolist() != [9, 9, 9]  # known by its array: forget was not called
    frames.forget()
    assert frames.upload([first]) == [0]
    assert frames.pixels[0].tolist() == [9, 9, 9]
    assert frames.moved == 2  # there was room already


def test_odd_layouts_arrive_in_order():
    frames = DeviceFrames(CudaStream("cpu"))
    image = noise(8, 9)[:, ::-1]
    frames.upload([image])
    np.testing.assert_array_equal(frames.pixels[:72].numpy().reshape(8, 9, 3), image)
