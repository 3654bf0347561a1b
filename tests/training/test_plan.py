"""Plans, crops and targets: pure functions, and the same on every device."""

from pathlib import Path

import numpy as np
import pytest
import torch

from livepose.crops import ALIGNMENTS, CropGeometry, cut_crops
from livepose.evaluation.dataset import Problems
from livepose.heatmaps import encode_dark, encode_standard
from livepose.skeletons import COCO17
from livepose.training.crops import DeviceCrops, changed, normalised, render_crops
from livepose.training.data import People, SetSpec, read_set
from livepose.training.plan import Plan, Planner, TrainingGeometry, inverse, transform
from livepose.training.pose import PersonSampler
from livepose.training.settings import AugmentSettings
from livepose.training.targets import target_maps

GEOMETRY = TrainingGeometry("pixel_centre", (128, 96))


@pytest.fixture
def people(drawn_set: Path) -> People:
    spec = SetSpec(drawn_set / "images.zip", drawn_set / "annotations.json")
    return read_set(spec, COCO17, Problems(strict=True))


NOTHING = dict.fromkeys(
    ("scale", "rotated", "flipped", "half_body", "webcam", "edge_shake", "colour", "grey", "blur",
     "noise", "occlusion"), 0.0,
)  # fmt: skip


class OneSize:
    """A planner of one input size."""

    def __init__(self, people: People, seed: int, geometry: TrainingGeometry, **settings: float):
        self._geometry = geometry
        self._planner = Planner(people, COCO17, AugmentSettings(**settings), seed)

    def draw(self, rows: np.ndarray, step: int, hardness: float) -> Plan:
        return self._planner.draw(rows, step, hardness, self._geometry)


def planner(people: People, seed: int = 0, **settings: float) -> OneSize:
    return OneSize(people, seed, GEOMETRY, **settings)


def plain_plan(people: People, rows: np.ndarray, geometry: TrainingGeometry) -> Plan:
    return OneSize(people, 0, geometry, **NOTHING).draw(rows, 0, 0.0)


def many(people: People, count: int = 200) -> np.ndarray:
    return np.arange(count) % len(people)


def test_a_row_of_a_plan_depends_on_seed_step_and_place_alone(people: People) -> None:
    rows = many(people, 12)
    whole = planner(people).draw(rows, 7, 1.0)
    part = planner(people).draw(rows[:5], 7, 1.0)
    again = planner(people).draw(rows, 7, 1.0).rows(slice(0, 5))
    for name in whole.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(part, name), getattr(again, name))
    assert not np.array_equal(whole.matrices, planner(people).draw(rows, 8, 1.0).matrices)
    assert not np.array_equal(whole.matrices, planner(people, 1).draw(rows, 7, 1.0).matrices)


def test_an_easy_plan_has_no_rotation_half_body_or_occlusion(people: People) -> None:
    plan = planner(people, webcam=0.0, flipped=0.0).draw(many(people), 0, 0.0)
    np.testing.assert_allclose(plan.matrices[:, 0, 1], 0, atol=1e-12)
    assert (plan.hole_xyxy == 0).all()
    spans = 96 / plan.matrices[:, 0, 0]
    boxes = people.boxes_xyxy[plan.people]
    wanted = np.maximum(boxes[:, 2] - boxes[:, 0], (boxes[:, 3] - boxes[:, 1]) * 0.75) * 1.25
    assert (spans > 0.5 * wanted).all()


def test_a_hard_plan_rotates_most_crops(people: People) -> None:
    plan = planner(people, webcam=0.0).draw(many(people), 0, 1.0)
    assert 0.4 < (np.abs(plan.matrices[:, 0, 1]) > 1e-9).mean() < 0.8


def test_mirroring_exchanges_left_and_right(people: People) -> None:
    rows = many(people, 6)
    plain = planner(people, flipped=0.0).draw(rows, 0, 0.5)
    mirrored = planner(people, flipped=1.0).draw(rows, 0, 0.5)
    swapped = plain.heatmap_xy[:, list(COCO17.flip_permutation)]
    swapped[..., 0] = 23 - swapped[..., 0]
    np.testing.assert_allclose(mirrored.heatmap_xy, swapped, atol=1e-9)
    crops = [render_crops(people, plan, (128, 96)) for plan in (plain, mirrored)]
    assert np.abs(crops[0][:, :, ::-1].astype(int) - crops[1]).max() <= 2


def test_a_webcam_cut_ends_the_picture_and_knows_what_is_gone(people: People) -> None:
    plan = planner(people, webcam=1.0, rotated=0.0, flipped=0.0).draw(many(people), 0, 0.0)
    cut = plan.windows_xyxy[:, 3] < people.windows_xyxy[plan.people, 3]
    assert cut.mean() > 0.9
    below = people.xy[plan.people][..., 1] > plan.windows_xyxy[:, None, 3]
    assert (plan.weights[below] == 0).all()
    assert plan.absent_weights[below] == pytest.approx(0.1)
    crops = render_crops(people, plan, (128, 96))
    last_row = transform(plan.matrices, plan.windows_xyxy[:, None, 2:])[:, 0, 1]
    # Bilinear sampling fades out over one picture pixel, which is several of a small person's crop.
    fade = np.ceil(plan.matrices[cut, 1, 1]) + 1
    for crop, edge, rows in zip(crops[cut], last_row[cut], fade, strict=True):
        assert crop[: int(edge) - 2].any()
        assert not crop[max(0, int(edge + rows)) :].any()


def test_unlabelled_keypoints_are_neither_there_nor_gone(people: People) -> None:
    people.weights[:, 3] = 0
    plan = planner(people, flipped=0.0).draw(many(people), 0, 1.0)
    assert (plan.weights[:, 3] == 0).all()
    assert (plan.absent_weights[:, 3] == 0).all()


@pytest.mark.parametrize("alignment", ALIGNMENTS)
def test_training_and_use_agree_where_a_keypoint_lies_in_the_heatmap(
    people: People, alignment: str
) -> None:
    geometry = TrainingGeometry(alignment, (128, 96))
    plan = plain_plan(people, np.arange(len(people)), geometry)
    use = CropGeometry(alignment, (128, 96))
    wanted = use.to_heatmap(people.xy, people.boxes_xyxy, geometry.heatmap_hw)
    np.testing.assert_allclose(plan.heatmap_xy, wanted, atol=1e-6)


def test_matrices_are_inverted(people: People) -> None:
    matrices = planner(people).draw(many(people, 6), 0, 1.0).matrices
    there = transform(matrices, people.xy)
    np.testing.assert_allclose(transform(inverse(matrices), there), people.xy, atol=1e-9)


def test_crops_from_the_device_path_show_the_same_as_those_from_the_cpu_path(
    people: People,
) -> None:
    plan = planner(people).draw(many(people, 30), 0, 1.0)
    cpu = render_crops(people, plan, (128, 96))[..., ::-1].astype(np.float64)
    device = DeviceCrops(people, [(128, 96)], torch.device("cpu"), 256).render(plan, (128, 96))
    other = device.permute(0, 2, 3, 1).numpy()
    # Bilinear sampling of a kept square blurs the noise a little; dots and edges stay in place.
    blurred = [np.abs(a - b).mean() for a, b in zip(cpu, other, strict=True)]
    assert np.median(blurred) < 12


def test_keypoints_lie_on_their_dots_on_both_paths(people: People) -> None:
    plan = planner(people, colour=0, grey=0, blur=0, noise=0, occlusion=0).draw(
        many(people, 30), 3, 1.0
    )
    device = DeviceCrops(people, [(128, 96)], torch.device("cpu"), 256).render(plan, (128, 96))
    cpu = render_crops(people, plan, (128, 96))[..., ::-1]
    for crops in (cpu, device.permute(0, 2, 3, 1).numpy()):
        colours, seen = colours_under_keypoints(crops, plan.heatmap_xy, plan.weights > 0)
        # The plan has left and right exchanged where it mirrors: look at unpaired noses.
        noses = colours[:, 0][seen[:, 0]]
        assert len(noses) > 10
        assert np.ptp(np.median(noses, axis=0) - np.array([0, 0, 128])) < 90


def colours_under_keypoints(
    crops: np.ndarray, heatmap_xy: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    xy = np.rint(heatmap_xy * 4 + 1.5).astype(int)
    inside = seen & (xy >= 0).all(axis=2) & (xy < [96, 128]).all(axis=2)
    x, y = np.clip(xy[..., 0], 0, 95), np.clip(xy[..., 1], 0, 127)
    return crops[np.arange(len(crops))[:, None], y, x].astype(float), inside


def test_training_crops_are_the_live_ones(people: People) -> None:
    geometry = CropGeometry("pixel_centre", (64, 48))
    rows = np.arange(len(people))
    plan = plain_plan(people, rows, TrainingGeometry("pixel_centre", (64, 48)))
    trained = render_crops(people, plan, (64, 48))
    for row in rows:
        matrix = geometry.matrices(people.boxes_xyxy[row : row + 1])
        live = cut_crops(people.pictures.image_bgr(int(people.picture[row])), matrix, (64, 48))
        assert np.array_equal(trained[row], live[0])


def test_appearance_of_a_row_does_not_depend_on_its_batch(people: People) -> None:
    plan = planner(people, noise=1.0, blur=1.0).draw(many(people, 6), 0, 1.0)
    crops = torch.from_numpy(render_crops(people, plan, (128, 96))).permute(0, 3, 1, 2).float()
    whole = changed(crops, plan)
    part = changed(crops[2:4], plan.rows(slice(2, 4)))
    torch.testing.assert_close(whole[2:4], part)


def test_nothing_planned_leaves_the_picture_as_it_is(people: People) -> None:
    plan = plain_plan(people, np.arange(4), GEOMETRY)
    crops = torch.rand(4, 3, 8, 8) * 255
    torch.testing.assert_close(changed(crops, plan), normalised(crops))


@pytest.mark.parametrize(("kind", "encode"), [("dark", encode_dark), ("standard", encode_standard)])
def test_targets_are_those_of_the_heatmaps_room(kind: str, encode) -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(4, 20, (3, 17, 2))
    wanted = encode(xy, np.ones((3, 17)), (32, 24), 1.0).targets
    found = target_maps(torch.from_numpy(xy), (32, 24), 1.0, kind).numpy()
    if kind == "dark":  # there the maps end at three sigma, a hundredth of the peak
        found = np.where(wanted > 0, found, 0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_every_person_is_drawn_equally_often_and_weights_draw_more() -> None:
    order = PersonSampler(np.array([1.0] * 50 + [2.0] * 25), 3)
    drawn = np.bincount(order.people(0, 75 * 8), minlength=75)
    assert np.abs(drawn[:50] - 6).max() <= 8
    assert drawn[50:].mean() == pytest.approx(2 * drawn[:50].mean(), rel=0.05)
    even = np.bincount(PersonSampler(np.ones(40), 0).people(0, 400), minlength=40)
    assert (even == 10).all()


def test_the_order_can_be_entered_anywhere() -> None:
    order = PersonSampler(np.ones(7), 1)
    whole = order.people(0, 100)
    np.testing.assert_array_equal(PersonSampler(np.ones(7), 1).people(61, 20), whole[61:81])
