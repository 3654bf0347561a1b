"""PCKh of MPII against the reference's numbers, PCK of the torso by hand, and their intervals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.errors import DataError
from livepose.evaluation import run
from livepose.evaluation.metrics import draws, percentile_interval
from livepose.skeletons import COCO17
from studies.pck.__main__ import main
from studies.pck.metrics import Pck, lsp_pck, mpii_pckh, torso_sizes
from studies.pck.mpii import load_mpii, mpii_boxes

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]

PLACE = {name: index for index, name in enumerate(COCO17.keypoints)}
EACH_ITS_OWN = np.arange(2)
"""The images of two people."""


def test_pckh_is_the_reference_one(shared: Path) -> None:
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


def standing() -> tuple[np.ndarray, np.ndarray]:
    """Two people; left shoulder to right hip is 50 px."""
    truth = np.zeros((2, 17, 2))
    truth[:, PLACE["left_shoulder"]] = (30.0, 0.0)
    truth[:, PLACE["right_hip"]] = (0.0, 40.0)
    return truth, np.ones((2, 17), bool)


def test_an_error_of_exactly_the_threshold_is_a_hit_and_what_was_not_found_a_miss() -> None:
    truth, labelled = standing()
    found = truth.copy()
    found[0, PLACE["left_wrist"], 0] += 10.0
    found[1, PLACE["left_wrist"], 0] += 10.01
    found[:, PLACE["right_knee"]] = np.nan
    scores = lsp_pck(found, truth, labelled, EACH_ITS_OWN).scores()
    assert scores["wrist"] == pytest.approx((50 + 100) / 2)
    assert scores["knee"] == pytest.approx(50.0)
    assert scores["mean"] == pytest.approx(100 * 21 / 24)


def test_the_other_diagonal_stands_in_and_people_without_a_torso_are_left_out() -> None:
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


def share_of(hits: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Percent of people (P, 1) of these images who are hits, in every draw."""
    pck = Pck(hits, np.ones_like(hits), image, {})
    return pck.resampled(draws(int(image.max()) + 1))["mean"]


def test_the_interval_of_a_share_is_that_of_the_binomial() -> None:
    hits = np.arange(400)[:, None] < 100
    interval = percentile_interval(share_of(hits, np.arange(400)))
    spread = 100 * 1.96 * np.sqrt(0.25 * 0.75 / 400)
    assert (interval.low, interval.high) == pytest.approx((25 - spread, 25 + spread), abs=0.7)


def test_people_of_one_image_are_drawn_together() -> None:
    hits = np.repeat([[True], [False]], 50, axis=0)
    assert set(share_of(hits, np.repeat([0, 1], 50))) == {0.0, 50.0, 100.0}


def written(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def mpii_person(**changes: Any) -> dict[str, Any]:
    return {
        "image": "000.png",
        "center": [50.0, 60.0],
        "scale": 0.5,
        "joints": [[10.0, 20.0]] * 16,
        "joints_vis": [1] * 16,
        "head_box": [1, 1, 4, 5],
        **changes,
    }


@pytest.mark.parametrize("alignment", ["hrnet", "dark", "pixel_centre"])
def test_mpii_crops_are_the_published_ones(shared: Path, tmp_path: Path, alignment: str) -> None:
    golden = np.load(shared / "golden" / "transform.npz")
    raw = zip(golden["mpii/raw_center"], golden["mpii/raw_scale"], strict=True)
    entries = [mpii_person(center=xy.tolist(), scale=float(scale)) for xy, scale in raw]
    [found] = mpii_boxes(load_mpii(written(tmp_path / "valid.json", entries)), alignment)
    boxes = found.boxes_xyxy
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 - (0.0 if alignment == "hrnet" else 0.5)
    assert np.allclose(middle, golden["mpii/center"], atol=1e-3)
    wide = (boxes[:, 2] - boxes[:, 0]) * 1.25 / 200
    assert np.allclose(wide, golden["mpii/scale"][:, 0], rtol=1e-5)


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], "list of people"),
        ({}, "MPII's form"),
        ([{"image": "a"}], "MPII's form"),
        ([mpii_person(joints_vis=[0] * 16)], "labelled joint"),
        ([{k: v for k, v in mpii_person().items() if k != "head_box"}], "gt_valid.mat"),
    ],
)
def test_mpii_annotations_that_cannot_be_scored_are_refused(
    tmp_path: Path, entries: Any, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        load_mpii(written(tmp_path / "valid.json", entries))


def test_head_boxes_come_from_mpiis_own_file(tmp_path: Path) -> None:
    from scipy.io import savemat

    path, mat = written(tmp_path / "valid.json", [mpii_person()] * 2), tmp_path / "gt_valid.mat"
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


def options(images: Path, annotations: Path, *more: str) -> list[str]:
    return ["--images", str(images), "--annotations", str(annotations), *more]


def rows_of(words: list[str], folder: Path) -> list[dict[str, Any]]:
    """What the command writes as rows, on a runtime that sees spots."""
    out = folder / "rows.json"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "open_runtime", lambda *_, **__: SpotRuntime())
        assert main([*words, "--no-speed", "--json", str(out)]) == 0
    rows: list[dict[str, Any]] = json.loads(out.read_text())["rows"]
    return rows


def test_lsp_gives_pck_by_joint(make_set: MakeSet, tmp_path: Path) -> None:
    images, path, document = make_set(4)
    for one in document["annotations"]:  # a torso: left hip and right hip lie elsewhere
        x, y = one["keypoints"][:2]
        one["keypoints"][3 * 12 : 3 * 12 + 2] = [x, y + 40]
    path.write_text(json.dumps(document))
    words = ["lsp", *options(images, path, "--decode", "dark,argmax")]
    row = rows_of(words, tmp_path)[0]
    assert row["shoulder"] == row["ankle"] == 100.0
    assert row["hip"] == 50.0
    assert row["mean"] == pytest.approx(100 * 11 / 12, abs=0.01)
    assert row["intervals_95"]["mean"] == [pytest.approx(91.67, abs=0.01)] * 2
    differences = json.loads((tmp_path / "rows.json").read_text())["differences"]
    assert differences[0]["column"] == "mean"


def test_mpii_gives_pckh_by_joint_at_both_thresholds(
    make_set: MakeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, _, document = make_set(3)
    entries = [
        {
            "image": f"{one['image_id'] - 100:03d}.png",
            "center": [x + 1, y + 1 - 15 * 0.3],
            "scale": 0.3,
            "joints": [[x + 1, y + 1]] * 16,
            "joints_vis": [1] * 16,
            "head_box": [x, y, x + 12, y + 16],
        }
        for one in document["annotations"]
        for x, y in [one["keypoints"][:2]]
    ]
    path = tmp_path / "mpii.json"
    path.write_text(json.dumps(entries))
    half, tenth = rows_of(["mpii", *options(images, path)], tmp_path)
    assert (half["method"], tenth["method"]) == ("livepose, DARK @0.5", "livepose, DARK @0.1")
    assert half["mean"] == tenth["mean"] == 100.0
    assert half["head"] is None  # coco17 has no head top
    assert "twelve joints" in capsys.readouterr().err
