"""Another size of the input: the same weights, checked, timed and kept as of that size."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import relative_error

from livepose.crops import CropGeometry, cut_crops
from livepose.errors import UsageError
from livepose.heatmaps import decode
from livepose.runtimes import open_runtime
from livepose.runtimes.openvino_pose import PoseNetwork
from livepose.runtimes.verify import people
from livepose.settings import Settings
from livepose.weights import read_card
from livepose.weights.card import at_size

Photographs = Callable[[tuple[int, int]], NDArray[np.uint8]]


@pytest.mark.parametrize(
    ("which", "input_hw"),
    [
        ("hrnet_file", (96, 64)),
        ("hrnet_file", (112, 80)),  # half a cell of the coarsest branch along each side
        ("resnet_file", (48, 80)),
    ],
)
def test_every_runtime_takes_another_size(
    which: str, input_hw: tuple[int, int], photographs: Photographs, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(which)
    crops = photographs(input_hw)[:4]
    reference = open_runtime(path, "torch", input_hw=input_hw)
    expected = reference(crops)
    assert reference.card == at_size(read_card(path), input_hw)
    assert expected.shape[2:] == (input_hw[0] // 4, input_hw[1] // 4)
    found = open_runtime(path, "openvino", precision="f32", input_hw=input_hw)(crops)
    assert relative_error(found, expected) < 0.005


def test_sizes_share_one_converted_network(
    hrnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_runtime(hrnet_file, "openvino", precision="f32", input_hw=(64, 64))
    monkeypatch.setattr(PoseNetwork, "_converted", None)
    assert open_runtime(hrnet_file, "openvino", precision="f32").card.input_hw == (128, 96)


@pytest.mark.parametrize("input_hw", [(144, 112), (96, 64)])
def test_people_are_found_where_they_are_at_the_usual_size(input_hw: tuple[int, int]) -> None:
    usual, other = (keypoints(input_hw=size) for size in (None, input_hw))
    sure = (usual.scores > 0.4) & (other.scores > 0.4)
    assert sure.sum() > 20
    apart_px = np.linalg.norm(usual.xy - other.xy, axis=-1)[sure]
    assert np.median(apart_px) < 0.02 * 256, "of the height of the image"


def keypoints(input_hw: tuple[int, int] | None) -> "Found":
    runtime = open_runtime("default", "openvino", precision="f32", input_hw=input_hw)
    geometry = CropGeometry(runtime.card.alignment, runtime.card.input_hw, padding=1.0)
    images, box = people(), np.array([[0.0, 0.0, 192.0, 256.0]])
    matrices = geometry.matrices(box)
    crops = np.concatenate([cut_crops(one, matrices, geometry.input_hw) for one in images])
    found = decode(runtime(crops), "dark", runtime.card.blur_kernel)
    boxes = np.repeat(box, len(images), axis=0)
    return Found(geometry.to_image(found.xy, boxes, runtime.card.heatmap_hw), found.scores)


class Found:
    def __init__(self, xy: NDArray[np.float64], scores: NDArray[np.float64]) -> None:
        self.xy, self.scores = xy, scores


def test_the_line_says_what_the_weights_were_made_for(said: list[str], resnet_file: Path) -> None:
    open_runtime(resnet_file, "torch", input_hw=(96, 64))
    line = "pose: resnet50 96x64 (resnet50.safetensors, made and measured for 64x96) on torch, cpu"
    assert line in said[-1]
    open_runtime(resnet_file, "torch", input_hw=(64, 96))
    assert "made and measured" not in said[-1]


@pytest.mark.parametrize("input_hw", [(100, 96), (0, 64), (16, 64), (2048, 96), (96,)])
def test_a_size_that_no_network_bears_says_what_works(input_hw: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"in steps of 16, best of 32 \(256x192, 128x96, 96x64\)"):
        open_runtime("default", input_hw=input_hw)
    with pytest.raises(UsageError, match="in steps of 16"):
        Settings(input_hw=input_hw)


def test_an_export_of_one_size_says_so(tinypose: Path) -> None:
    with pytest.raises(UsageError, match=r"t.xml does not run at 96x64; it is an export of one"):
        open_runtime(tinypose, input_hw=(96, 64))
