"""Plans, crops and targets: pure functions, and the same on every device."""

import numpy as np
import pytest
import torch

from livepose.crops import ALIGNMENTS, CropGeometry, cut_crops
from livepose.heatmaps import encode_dark, encode_standard
from livepose.skeletons import COCO17
from livepose.training.crops import DeviceCrops, changed, render_crops
from livepose.training.plan import Augment, Planner, heatmap_hw, transform
from livepose.training.pose import PersonSampler, target_maps

GEOMETRY = CropGeometry("pixel_centre", (128, 96))
NOTHING = dict.fromkeys(
    ("scale", "rotated", "flipped", "half_body", "webcam", "edge_shake", "colour", "grey", "blur",
     "noise", "occlusion"), 0.0,
)  # fmt: skip


def draw(people, count, step=0, curriculum=0.0, seed=0, geometry=GEOMETRY, **augment):
    rows = np.arange(count) % len(people)
    return Planner(people, COCO17, Augment(**augment), seed).draw(rows, step, curriculum, geometry)


def rendered(people, plan):
    return render_crops(people, plan.people, plan.windows_xyxy, plan.matrices, plan.input_hw)


def test_a_row_of_a_plan_depends_on_seed_step_and_place_alone(people):
    whole, part = (draw(people, count, 7, 1.0) for count in (12, 5))
    again = whole.rows(slice(0, 5))
    for name in list(whole.__dataclass_fields__)[1:]:
        np.testing.assert_array_equal(getattr(part, name), getattr(again, name))
    crops = torch.from_numpy(rendered(people, whole)).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(changed(crops, whole)[:5], changed(crops[:5], part))
    for other in (draw(people, 12, 8, 1.0), draw(people, 12, 7, 1.0, seed=1)):
        assert not np.array_equal(whole.matrices, other.matrices)


def test_the_curriculum_brings_rotation_and_occlusion(people):
    easy, hard = (draw(people, 200, 0, share, webcam=0.0) for share in (0.0, 1.0))
    assert (np.abs(easy.matrices[:, 0, 1]) < 1e-9).all()
    assert (easy.hole_xyxy == 0).all()
    assert 0.4 < (np.abs(hard.matrices[:, 0, 1]) > 1e-9).mean() < 0.8
    assert 0.1 < (hard.hole_xyxy > 0).any(axis=1).mean() < 0.3


def test_mirroring_exchanges_left_and_right(people):
    plain, mirrored = (draw(people, 6, 0, 0.5, flipped=share) for share in (0.0, 1.0))
    swapped = plain.heatmap_xy[:, list(COCO17.flip_permutation)]
    swapped[..., 0] = 23 - swapped[..., 0]
    np.testing.assert_allclose(mirrored.heatmap_xy, swapped, atol=1e-9)
    crops = [rendered(people, plan) for plan in (plain, mirrored)]
    assert np.abs(crops[0][:, :, ::-1].astype(int) - crops[1]).max() <= 2


def test_a_webcam_cut_ends_the_image_and_knows_what_is_gone(people):
    plan = draw(people, 200, webcam=1.0, rotated=0.0, flipped=0.0)
    cut = plan.windows_xyxy[:, 3] < people.windows_xyxy[plan.people, 3]
    assert cut.mean() > 0.9
    below = people.xy[plan.people][..., 1] > plan.windows_xyxy[:, None, 3]
    assert (plan.weights[below] == 0).all()
    assert plan.absent_weights[below] == pytest.approx(0.1)
    crops = rendered(people, plan)
    last_row = transform(plan.matrices, plan.windows_xyxy[:, None, 2:])[:, 0, 1]
    # Bilinear sampling fades out over one image pixel, which is several of a small person's crop.
    fade = np.ceil(plan.matrices[cut, 1, 1]) + 1
    for crop, edge, rows in zip(crops[cut], last_row[cut], fade, strict=True):
        assert crop[: int(edge) - 2].any()
        assert not crop[max(0, int(edge + rows)) :].any()


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_training_and_use_agree_on_crops_and_on_where_a_keypoint_lies_in_the_heatmap(
    people, alignment
):
    geometry = CropGeometry(alignment, (64, 48))
    plan = draw(people, len(people), geometry=geometry, **NOTHING)
    wanted = geometry.to_heatmap(people.xy, people.boxes_xyxy, heatmap_hw((64, 48)))
    np.testing.assert_allclose(plan.heatmap_xy, wanted, atol=1e-6)
    if alignment == "pixel_centre":
        for row, crop in enumerate(rendered(people, plan)):
            matrix = geometry.matrices(people.boxes_xyxy[row : row + 1])
            assert np.array_equal(crop, cut_crops(people.image_bgr(row), matrix, (64, 48))[0])


def test_crops_from_the_device_path_show_the_same_as_those_from_the_cpu_path(people):
    plan = draw(people, 30, 0, 1.0)
    cpu = rendered(people, plan)[..., ::-1].astype(np.float64)
    device = DeviceCrops(people, [(128, 96)], torch.device("cpu")).render(plan)
    other = device.permute(0, 2, 3, 1).numpy()
    # Bilinear sampling of a kept square blurs the noise a little; dots and edges stay in place.
    blurred = [np.abs(a - b).mean() for a, b in zip(cpu, other, strict=True)]
    assert np.median(blurred) < 12


@pytest.mark.parametrize(("kind", "encode"), [("dark", encode_dark), ("standard", encode_standard)])
def test_targets_are_those_of_the_heatmaps_room(kind, encode):
    xy = np.random.default_rng(0).uniform(4, 20, (3, 17, 2))
    wanted = encode(xy, np.ones((3, 17)), (32, 24), 1.0).targets
    found = target_maps(torch.from_numpy(xy), (32, 24), 1.0, kind).numpy()
    if kind == "dark":  # there the maps end at three sigma, a hundredth of the peak
        found = np.where(wanted > 0, found, 0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_weights_draw_more_and_the_order_can_be_entered_anywhere():
    order = PersonSampler(np.array([1.0] * 50 + [2.0] * 25), 3)
    drawn = np.bincount(order.people(0, 75 * 8), minlength=75)
    assert drawn[50:].mean() == pytest.approx(2 * drawn[:50].mean(), rel=0.05)
    assert np.ptp(drawn[:50]) <= 8
    np.testing.assert_array_equal(order.people(61, 20), order.people(0, 100)[61:81])
