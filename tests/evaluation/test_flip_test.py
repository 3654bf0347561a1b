"""The mirrored answer falls on the plain one, in every alignment that there is."""

import numpy as np
import pytest

from livepose.crops import ALIGNMENTS, CropGeometry
from livepose.evaluation.predict import SHIFTED_ALIGNMENTS, average, mirrored_back
from livepose.heatmaps import decode_dark, encode_dark
from livepose.skeletons import COCO17, MPII16

WIDTH = 24
RESIDUE_CELLS = {"hrnet": 0.25, "stride": 0.25}
"""What a shift by one whole column leaves where the answers are three quarters apart."""


@pytest.mark.parametrize(("name", "skeleton"), [("coco", COCO17), ("mpii", MPII16)])
def test_maps_are_mirrored_swapped_and_shifted_as_published(shared, name, skeleton):
    golden = np.load(shared / "golden" / "transform.npz")
    raw, plain = (
        golden[f"flip_{name}/{key}"].astype(np.float32)
        for key in ("output_of_flipped_input", "output")
    )
    for ending, shift in (("", False), ("_shifted", True)):
        back = mirrored_back(raw, skeleton.flip_permutation, shift)
        assert np.array_equal(back, golden[f"flip_{name}/flip_back{ending}"].astype(np.float32))
        mean = golden[f"flip_{name}/average{ending}"]
        assert np.allclose(average(plain, back), mean, atol=1e-6)


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_a_point_seen_in_both_crops_is_found_in_one_place(alignment):
    """A perfect network sees input column x, and W - 1 - x in the mirrored crop."""
    geometry, box = CropGeometry(alignment, (4 * 32, 4 * WIDTH)), np.array([[10.0, 20, 100, 140]])
    points = np.array([[[30.0, 60.0], [80.0, 60.0]]])
    matrix = geometry.matrices(box)[0]
    inputs = points[0] @ matrix[:, :2].T + matrix[:, 2]
    cells = geometry.to_heatmap(points, box, (32, WIDTH))[0]
    factor = (cells[1, 0] - cells[0, 0]) / (inputs[1, 0] - inputs[0, 0])
    offset = cells[0, 0] - factor * inputs[0, 0]

    seen = [factor * x + offset for x in (41.3, 4 * WIDTH - 1 - 41.3)]
    maps = [
        encode_dark(np.tile((cell, 15.0), (1, 17, 1)), np.ones((1, 17)), (32, WIDTH), 2.0).targets
        for cell in seen
    ]
    shifted = alignment in SHIFTED_ALIGNMENTS
    plain, back, wrong = (
        decode_dark(one).xy[0, 0, 0]
        for one in (
            maps[0],
            mirrored_back(maps[1], COCO17.flip_permutation, shifted),
            mirrored_back(maps[1], COCO17.flip_permutation, not shifted),
        )
    )
    assert abs(back - plain) == pytest.approx(RESIDUE_CELLS.get(alignment, 0.0), abs=0.01)
    assert abs(wrong - seen[0]) > 0.7
