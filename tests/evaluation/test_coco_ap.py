"""COCO AP and OKS: cases that can be done on paper, the reference's, and what can be wrong."""

import json
from typing import Any

import numpy as np
import pytest

from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Image
from livepose.evaluation.metrics import coco_results, match, oks_matrix, oks_nms, sigmas_of, tools
from livepose.evaluation.predict import Boxed, Predictions
from livepose.skeletons import COCO17, MPII16

SIGMAS = sigmas_of(COCO17)
AREA = 2500.0
BEFORE_HALF = 51 / 101
"""Share of the 101 recall thresholds that lie at or below a recall of one half."""


def document(images: int) -> dict[str, Any]:
    """One person of 50 x 50 px (medium) in each image."""
    return {
        "images": [{"id": number, "width": 300, "height": 300} for number in range(images)],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {
                **{"id": number, "image_id": number, "category_id": 1, "iscrowd": 0},
                **{"area": AREA, "bbox": [100, 100, 50, 50]},
                **{"num_keypoints": 17, "keypoints": [100.0, 100.0, 2] * 17},
            }
            for number in range(images)
        ],
    }


def result(image_id: int, score: float, oks: float = 1.0) -> dict[str, Any]:
    """A pose whose OKS with the person of that image is ``oks``."""
    shift_px = np.sqrt(-np.log(oks) * 2 * AREA) * 2 * SIGMAS
    keypoints = np.stack([100 + shift_px, np.full(17, 100.0), np.ones(17)], axis=1)
    flat = keypoints.ravel().tolist()
    return {"image_id": image_id, "category_id": 1, "keypoints": flat, "score": score}


def test_a_pose_of_oks_072_counts_at_five_of_ten_thresholds():
    scores = match(document(1), [result(0, 0.9, oks=0.72)], SIGMAS).scores()
    wanted = {"ap": 50, "ap50": 100, "ap75": 0, "apm": 50, "apl": np.nan, "ar": 50}
    assert scores == pytest.approx(wanted, nan_ok=True)


def test_a_better_scored_mistake_halves_the_precision():
    for mistake, ap in ((0.8, 100 * BEFORE_HALF), (1.0, 50 * BEFORE_HALF)):
        found = [result(0, 0.9), result(1, mistake, oks=0.1)]
        scores = match(document(2), found, SIGMAS).scores()
        assert (scores["ap"], scores["ar"]) == (pytest.approx(ap), pytest.approx(50.0))


def test_boxes_are_matched_by_their_overlap():
    box = {"image_id": 0, "category_id": 1, "bbox": [100, 100, 50, 50], "score": 0.9}
    assert match(document(1), [box], None).scores()["ap"] == pytest.approx(100.0)
    half = {**box, "bbox": [100, 100, 50, 30]}  # an IoU of 0.6: three of ten thresholds
    assert match(document(1), [half], None).scores()["ap"] == pytest.approx(30.0)


def test_drawing_again_gives_what_pycocotools_gives_for_repeated_images():
    random = np.random.default_rng(4)
    found = [result(n, random.random(), random.uniform(0.3, 1.0)) for n in range(12) if n % 4]
    drawn = random.integers(0, 3, 12)
    copies = np.repeat(np.arange(12), drawn)
    results = [
        {**one, "image_id": place}
        for place, number in enumerate(copies)
        for one in found
        if one["image_id"] == number
    ]
    wanted = match(document(len(copies)), results, SIGMAS).scores()
    got = match(document(12), found, SIGMAS).resampled(drawn[None])
    assert got["ap"][0] == pytest.approx(wanted["ap"], abs=0.2)
    assert got["ar"][0] == pytest.approx(wanted["ar"])


SUMMARY = {"ap": "AP", "ap50": "Ap .5", "ap75": "AP .75", "apm": "AP (M)", "ar": "AR"}


@pytest.mark.parametrize("alignment", ["dark", "hrnet"])
def test_the_whole_protocol_gives_the_reference_score(shared, alignment):
    golden = json.loads((shared / "golden" / "evaluation.json").read_text())["coco"]
    sample, found = golden_sample(golden)
    results = coco_results(sample, found, (128, 96), SIGMAS)
    for one, written in zip(results, golden[alignment]["results_written"], strict=True):
        assert one["image_id"] == written["image_id"]
        assert one["score"] == pytest.approx(written["score"], abs=1e-6)
    scores = match(golden["ground_truth"], results, SIGMAS).scores()
    for name, printed in SUMMARY.items():
        assert scores[name] == pytest.approx(100 * golden[alignment]["summary"][printed], abs=1e-4)


def golden_sample(golden: dict[str, Any]) -> tuple[list[Boxed], Predictions]:
    people = [
        one
        for one in golden["person_detections"]
        if one["category_id"] == 1 and one["score"] >= golden["settings"]["image_thre"]
    ]
    found = np.array(golden["predictions_xys"])
    sample, order = [], []
    for image in golden["ground_truth"]["images"]:
        own = [index for index, one in enumerate(people) if one["image_id"] == image["id"]]
        xywh = np.array([people[index]["bbox"] for index in own]).reshape(-1, 4)
        boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
        scores = np.array([people[index]["score"] for index in own])
        sample.append(Boxed(Image(image["id"], image["file_name"]), boxes, scores))
        order += own
    return sample, Predictions(found[order, :, :2], found[order, :, 2])


def test_a_set_without_keypoints_is_refused():
    empty = document(1)
    empty["annotations"][0].update(num_keypoints=0, keypoints=[0] * 51)
    with pytest.raises(DataError, match="nobody"):
        match(empty, [result(0, 0.5)], SIGMAS)


def test_without_pycocotools_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pycocotools.coco", None)
    with pytest.raises(UsageError, match="pip install"):
        tools()


def poses(case):
    return np.array(case["keypoints"], dtype=np.float64).reshape(-1, 17, 3)[..., :2]


def test_oks_and_its_suppression_are_the_reference_ones(shared):
    golden = json.loads((shared / "golden" / "evaluation.json").read_text())
    case = golden["oks_iou"]
    assert np.allclose(np.array(case["sigmas_div_10"]) / 10, SIGMAS)
    found = oks_matrix(poses(case), np.array(case["areas"]), SIGMAS)
    assert np.allclose(found, case["matrix"], atol=1e-6)
    for case in golden["oks_nms"]:
        arguments = (poses(case), np.array(case["score"]), np.array(case["area"]), SIGMAS)
        assert oks_nms(*arguments, case["thresh"]) == case["oks_nms_keep"]


def test_a_missing_keypoint_is_like_nothing_and_sigmas_are_needed():
    pose = np.zeros((17, 2))
    half = pose.copy()
    half[:7] = np.nan
    similar = oks_matrix(np.stack([pose, half]), np.array([100.0, 100.0]), SIGMAS)
    assert np.allclose(similar[0], [1.0, 10 / 17])
    with pytest.raises(DataError, match="mpii16 which has none"):
        sigmas_of(MPII16)
