"""Reading keypoint sets: by name, with a teacher, and with everything that can be wrong."""

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Problems
from livepose.skeletons import COCO17, MPII16
from livepose.training.data import SetSpec, join, parse_set, read_set, teacher_weights


def read(folder, problems=None, mark=""):
    spec = parse_set(f"{folder / 'images.zip'}:{folder / 'annotations.json'}{mark}")
    return read_set(spec, COCO17, problems or Problems())


def change(folder, edit):
    file = folder / "annotations.json"
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def test_keypoints_are_mapped_by_name_and_others_are_left_out(drawn_set):
    before = read(drawn_set, Problems(strict=True))
    assert len(before) == 6
    assert (before.weights == 1).all()
    assert before.windows_xyxy[0].tolist() == [-0.5, -0.5, 119.5, 159.5]

    def as_mpii(content):
        content["categories"][0]["keypoints"] = list(MPII16.keypoints)
        for annotation in content["annotations"]:
            coco = np.array(annotation["keypoints"]).reshape(17, 3).tolist()
            by_name = dict(zip(COCO17.keypoints, coco, strict=True))
            rows = [by_name.get(name, [5, 5, 2]) for name in MPII16.keypoints]
            annotation["keypoints"] = np.ravel(rows).tolist()

    change(drawn_set, as_mpii)
    after = read(drawn_set)
    shared = np.array([name in MPII16.keypoints for name in COCO17.keypoints])
    assert (after.weights[:, shared] == 1).all()
    assert (after.weights[:, ~shared] == 0).all()
    np.testing.assert_array_equal(after.xy[:, shared], before.xy[:, shared])


def test_a_human_label_comes_first_and_the_teacher_fills_the_gaps(drawn_set):
    def with_teacher(content):
        annotation = content["annotations"][0]
        annotation["keypoints"][0:3] = [0, 0, 0]
        annotation["teacher"] = [30.0, 40.0, 0.8] * 17

    human = read(drawn_set).xy[0]
    change(drawn_set, with_teacher)
    people = read(drawn_set)
    assert people.xy[0, 0].tolist() == [30, 40]
    assert people.weights[0, 0] == pytest.approx(0.8 * 0.7)
    np.testing.assert_array_equal(people.xy[0, 1:], human[1:])


def test_a_teacher_counts_by_its_score_and_by_who_agrees():
    scores = np.array([0.2, 0.5, 0.95, 0.95, 0.95, 0.95])
    spread = np.array([0, 0, 0, 0.5, 0, 0])
    against = np.array([0, 0, 0, 0, 0.5, np.nan])
    alone = teacher_weights(scores, spread, against, True)
    np.testing.assert_allclose(alone, [0, 0.5, 0.9, 0, 0.27, 0.63])
    beside = teacher_weights(scores, spread, against, False)
    np.testing.assert_allclose(beside, [0, 0.35, 0.63, 0.63, 0.63, 0.63])


PNG = cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("image", "annotation", "kind"),
    [
        ({"file_name": "gone.png"}, {}, "unusable image"),
        ({"file_name": "../../etc/passwd"}, {}, "unusable image"),
        ({"file_name": "text.png"}, {}, "unusable image"),
        ({"file_name": "small.png"}, {}, "unusable image"),
        ({}, {"keypoints": [500, 5, 2] * 17}, "keypoint outside the image"),
        ({}, {"category_id": 7}, "wrong category"),
        ({}, {"bbox": [float("nan"), 1, 2, 3]}, "broken annotation"),
    ],
)
def test_bad_data_is_named_counted_and_skipped_or_refused(said, drawn_set, image, annotation, kind):
    change(drawn_set, lambda written: written["images"][0].update(image))
    change(drawn_set, lambda written: written["annotations"][0].update(annotation))
    with zipfile.ZipFile(drawn_set / "images.zip", "a") as archive:
        archive.writestr("text.png", b"this is no image")
        archive.writestr("small.png", PNG)
    problems = Problems()
    assert len(read(drawn_set, problems)) == 5
    assert problems.counts[kind] >= 1
    problems.tell()
    assert any(kind in line and str(drawn_set) in line and " 0" in line for line in said)
    with pytest.raises(DataError, match=kind):
        read(drawn_set, Problems(strict=True))


def test_why_nobody_is_left_is_said(drawn_set):
    def edit(content):
        for number, image in enumerate(content["images"]):
            image["file_name"] = f"img\\{number}.png"

    change(drawn_set, edit)
    with pytest.raises(DataError, match=r"6 x unusable image.*img.*0\.png' is not in"):
        read(drawn_set)


def test_sets_are_joined_with_their_weights(drawn_set):
    both = join([read(drawn_set), read(drawn_set, mark=":3")])
    assert both.draw_weights.tolist() == [1.0] * 6 + [3.0] * 6
    np.testing.assert_array_equal(both.image_bgr(8), both.image_bgr(2))


def test_a_set_is_written_as_images_annotations_weight_and_marks():
    marked = SetSpec(Path("a.zip"), Path("b.json"), 2.0, noisy=True, one_boxed=True)
    assert parse_set("a.zip:b.json:2:noisy:one-boxed") == marked
    for text in ("a.zip", "a.zip:b.json:x", "a.zip:b.json:-1", "a:b:1:2", "a.zip:"):
        with pytest.raises(UsageError):
            parse_set(text)
