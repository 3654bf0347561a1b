"""Another size of the input: the same weights, checked, timed and kept as of that size."""

import numpy as np
import pytest
from reference import relative_error

from livepose.crops import CropGeometry, cut_crops
from livepose.errors import UsageError
from livepose.heatmaps import Decoded, decode
from livepose.runtimes import open_runtime
from livepose.runtimes.verify import people
from livepose.settings import Settings


@pytest.mark.parametrize(
    ("which", "made_for", "input_hw"),
    [("hrnet_file", "128x96", (80, 48)), ("resnet_file", "64x96", (48, 80))],
    ids=["half a cell of the coarsest branch along each side", "resnet"],
)
def test_every_runtime_takes_another_size(which, made_for, input_hw, photographs, said, request):
    path = request.getfixturevalue(which)
    crops = photographs(input_hw)
    reference = open_runtime(path, "torch", input_hw=input_hw)
    expected = reference(crops)
    assert reference.card.input_hw == input_hw
    assert expected.shape[2:] == (input_hw[0] // 4, input_hw[1] // 4)
    assert f"({path.name}, made and measured for {made_for}) on torch, cpu" in said[-1]
    found = open_runtime(path, "openvino", precision="f32", input_hw=input_hw)(crops)
    assert relative_error(found, expected) < 0.005


def test_people_are_found_where_they_are_at_the_usual_size():
    usual, other = (keypoints(input_hw=size) for size in (None, (96, 64)))
    sure = (usual.scores > 0.4) & (other.scores > 0.4)
    assert sure.sum() > 20
    apart_px = np.linalg.norm(usual.xy - other.xy, axis=-1)[sure]
    assert np.median(apart_px) < 0.02 * 256, "of the height of the image"


def keypoints(input_hw):
    """What the embedded weights see on the photographs of the check, in their pixels."""
    runtime = open_runtime("default", "torch", input_hw=input_hw)
    geometry = CropGeometry(runtime.card.alignment, runtime.card.input_hw, padding=1.0)
    images, box = people(), np.array([[0.0, 0.0, 192.0, 256.0]])
    matrices = geometry.matrices(box)
    crops = np.concatenate([cut_crops(one, matrices, geometry.input_hw) for one in images])
    found = decode(runtime(crops), "dark", runtime.card.blur_kernel)
    xy = geometry.to_image(found.xy, np.repeat(box, 4, axis=0), runtime.card.heatmap_hw)
    return Decoded(xy, found.scores, found.covariance)


@pytest.mark.parametrize("input_hw", [(100, 96), (0, 64), (16, 64), (2048, 96), (96,)])
def test_a_size_that_no_network_bears_says_what_works(input_hw):
    with pytest.raises(UsageError, match=r"in steps of 16, best of 32 \(256x192, 128x96, 96x64\)"):
        open_runtime("default", input_hw=input_hw)
    with pytest.raises(UsageError, match="in steps of 16"):
        Settings(input_hw=input_hw)
