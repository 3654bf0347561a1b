"""PCKh of MPII against the reference's numbers, PCK of the torso by hand, and their intervals."""

import json

import numpy as np
import pytest
from evaluation_sets import evaluated, options

from livepose.errors import DataError
from livepose.evaluation.metrics import draws
from livepose.skeletons import COCO17
from studies.pck.__main__ import main
from studies.pck.metrics import Pck, lsp_pck, mpii_pckh, torso_sizes
from studies.pck.mpii import load_mpii, mpii_boxes

pytestmark = pytest.mark.usefixtures("spots")
PLACE = {name: index for index, name in enumerate(COCO17.keypoints)}
EACH_ITS_OWN = np.arange(2)
"""The images of two people."""


def test_pckh_is_the_reference_one(shared):
    golden = json.loads((shared / "golden" / "evaluation.json").read_text())["mpii"]
    truth = np.array(golden["pos_gt_src_16x2xN"]).transpose(2, 0, 1) - 1
    found = np.array(golden["predictions_0_based_xy"])
    labelled = np.array(golden["jnt_missing_16xN"]).T == 0
    heads = np.array(golden["headboxes_src_2x2xN"]).transpose(2, 0, 1).reshape(-1, 4)
    image, expected = np.arange(len(found)), golden["expected"]
    for group, value in mpii_pckh(found, truth, labelled, heads, 0.5, image).scores().items():
        assert value == pytest.approx(expected[group.capitalize()], abs=1e-6), group
    # The reference prints as "Mean@0.1" what it measures at 0.11.
    tenth = mpii_pckh(found, truth, labelled, heads, 0.11, image)
    assert tenth.scores()["mean"] == pytest.approx(expected["Mean@0.1"], abs=1e-6)
    with pytest.raises(DataError, match="person 0 has an empty head box"):
        mpii_pckh(found[:1], truth[:1], labelled[:1], np.full((1, 4), 5.0), 0.5, image[:1])


def standing():
    """Two people; left shoulder to right hip is 50 px."""
    truth = np.zeros((2, 17, 2))
    truth[:, PLACE["left_shoulder"]] = (30.0, 0.0)
    truth[:, PLACE["right_hip"]] = (0.0, 40.0)
    return truth, np.ones((2, 17), bool)


def test_an_error_of_exactly_the_threshold_is_a_hit_and_what_was_not_found_a_miss():
    truth, labelled = standing()
    found = truth.copy()
    found[0, PLACE["left_wrist"], 0] += 10.0
    found[1, PLACE["left_wrist"], 0] += 10.01
    found[:, PLACE["right_knee"]] = np.nan
    scores = lsp_pck(found, truth, labelled, EACH_ITS_OWN).scores()
    assert scores["wrist"] == pytest.approx((50 + 100) / 2)
    assert scores["knee"] == pytest.approx(50.0)
    assert scores["mean"] == pytest.approx(100 * 21 / 24)


def test_the_other_diagonal_stands_in_and_people_without_a_torso_are_left_out():
    truth, labelled = standing()
    truth[0, PLACE["right_shoulder"]], truth[0, PLACE["left_hip"]] = (0.0, 0.0), (3.0, 4.0)
    labelled[0, PLACE["right_hip"]] = False
    labelled[1, [PLACE["right_hip"], PLACE["left_hip"]]] = False
    assert torso_sizes(truth, labelled)[0] == pytest.approx(5.0)
    scored = lsp_pck(truth, truth, labelled, EACH_ITS_OWN)
    assert scored.image.tolist() == [0]
    assert scored.scores()["mean"] == pytest.approx(100.0)
    with pytest.raises(DataError, match="torso"):
        lsp_pck(truth, truth, np.zeros_like(labelled), EACH_ITS_OWN)


def test_people_of_one_image_are_drawn_together():
    hits = np.repeat([[True], [False]], 50, axis=0)
    pck = Pck(hits, np.ones_like(hits), np.repeat([0, 1], 50), {})
    assert set(pck.resampled(draws(2))["mean"]) == {0.0, 50.0, 100.0}


def mpii_person(x=10.0, y=20.0, **changes):
    """Somebody whose joints all lie at one place, counted from 1."""
    person = {"image": "000.png", "center": [x, y - 15 * 0.3], "scale": 0.3, "joints_vis": [1] * 16}
    person |= {"joints": [[x, y]] * 16, "head_box": [x - 1, y - 1, x + 11, y + 15]}
    return person | changes


def written(folder, entries):
    path = folder / "valid.json"
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize("alignment", ["hrnet", "dark", "pixel_centre"])
def test_mpii_crops_are_the_published_ones(shared, tmp_path, alignment):
    golden = np.load(shared / "golden" / "transform.npz")
    raw = zip(golden["mpii/raw_center"], golden["mpii/raw_scale"], strict=True)
    entries = [mpii_person(center=xy.tolist(), scale=float(scale)) for xy, scale in raw]
    [found] = mpii_boxes(load_mpii(written(tmp_path, entries)), alignment)
    boxes = found.boxes_xyxy
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - (0.0 if alignment == "hrnet" else 0.5)
    assert np.allclose(middle, golden["mpii/center"], atol=1e-3)
    wide = (boxes[:, 2] - boxes[:, 0]) * 1.25 / 200
    assert np.allclose(wide, golden["mpii/scale"][:, 0], rtol=1e-5)


def test_mpii_annotations_that_cannot_be_scored_are_refused(tmp_path):
    for entries, says in (
        ([], "list of people"),
        ({}, "MPII's form"),
        ([{"image": "a"}], "MPII's form"),
        ([mpii_person(joints_vis=[0] * 16)], "labelled joint"),
        ([{k: v for k, v in mpii_person().items() if k != "head_box"}], "gt_valid.mat"),
    ):
        with pytest.raises(DataError, match=says):
            load_mpii(written(tmp_path, entries))


def test_head_boxes_come_from_mpiis_own_file(tmp_path):
    from scipy.io import savemat

    path, mat = written(tmp_path, [mpii_person()] * 2), tmp_path / "gt_valid.mat"
    corners = np.array([[1.0, 1.0, 4.0, 5.0], [2.0, 2.0, 8.0, 10.0]])
    savemat(mat, {"headboxes_src": corners.reshape(2, 2, 2).transpose(1, 2, 0)})
    heads = [one.entry["head_box"] for one in load_mpii(path, mat).people]
    assert np.array_equal(heads, corners)
    savemat(mat, {"headboxes_src": np.zeros((2, 2, 5))})
    with pytest.raises(DataError, match="5 head boxes for 2 people"):
        load_mpii(path, mat)
    mat.write_text("text")
    with pytest.raises(DataError, match=r"gt_valid\.mat"):
        load_mpii(path, mat)


def test_lsp_gives_pck_by_joint(make_set, tmp_path):
    images, path, document = make_set(4)
    for one in document["annotations"]:  # a torso: left hip and right hip lie elsewhere
        x, y = one["keypoints"][:2]
        one["keypoints"][3 * 12 : 3 * 12 + 2] = [x, y + 40]
    path.write_text(json.dumps(document))
    words = ["lsp", *options(images, path, "--decode", "dark,argmax")]
    written = evaluated(main, words, tmp_path)
    row = written["rows"][0]
    assert row["shoulder"] == row["ankle"] == 100.0
    assert row["hip"] == 50.0
    assert row["mean"] == pytest.approx(100 * 11 / 12, abs=0.01)
    assert row["intervals_95"]["mean"] == [pytest.approx(91.67, abs=0.01)] * 2
    assert written["differences"][0]["column"] == "mean"


def test_mpii_gives_pckh_by_joint_at_both_thresholds(make_set, tmp_path, capsys):
    images, _, document = make_set(3)
    entries = [
        mpii_person(x + 1, y + 1, image=f"{one['image_id'] - 100:03d}.png")
        for one in document["annotations"]
        for x, y in [one["keypoints"][:2]]
    ]
    words = ["mpii", *options(images, written(tmp_path, entries))]
    half, tenth = evaluated(main, words, tmp_path)["rows"]
    assert (half["method"], tenth["method"]) == ("livepose, DARK @0.5", "livepose, DARK @0.1")
    assert half["mean"] == tenth["mean"] == 100.0
    assert half["head"] is None  # coco17 has no head top
    assert "twelve joints" in capsys.readouterr().err
