"""Annotations and images: what is wrong with them is said before anything is measured."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from livepose.errors import DataError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from livepose.evaluation.predict import annotated_boxes, boxes_from_file, cut_at_image


def written(path: Path, document: Any, **changes: Any) -> Path:
    path.write_text(json.dumps({**document, **changes} if changes else document))
    return path


def test_people_come_in_the_order_of_the_images_up_to_a_limit(make_set):
    _, path, document = make_set(3)
    written(path, document, annotations=document["annotations"][::-1])
    assert [one.image for one in load_annotations(path).people] == [0, 0, 1, 1, 2]
    some = load_annotations(path, limit=2)
    assert [image.id for image in some.images] == [100, 101]
    assert len(some.people) == len(some.document()["annotations"]) == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": []}, "image_id 100"),
        ({"images": [], "annotations": []}, "lists no images"),
        ({"annotations": []}, "person_keypoints"),
        ({"annotations": [{"image_id": 100, "bbox": [0, 0, 1, 1]}]}, "instances"),
        ({"annotations": [{"image_id": 100, "bbox": [0] * 4, "keypoints": [0] * 51}]}, "nobody"),
        ({"categories": [{"id": 1, "name": "dog"}]}, "expected a category"),
        ({"images": [{"id": 1, "file_name": "a"}, {"id": "1", "file_name": "b"}]}, "of one id"),
        ({"images": [{"id": 1, "file_name": "a", "width": float("inf")}]}, "broken image entry"),
    ],
)
def test_sets_that_cannot_be_scored_are_refused(make_set, changes, says):
    _, path, document = make_set(2)
    with pytest.raises(DataError, match=says):
        load_annotations(written(path, document, **changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keypoints": [float("nan"), 1, 2] * 17}, "keypoints: holds a number that is not finite"),
        ({"keypoints": [10**400, 1, 2] * 17}, "keypoints: holds a number that is too large"),
        ({"keypoints": ["1", 1, 2] * 17}, "keypoints: holds what is no number"),
        ({"keypoints": [1, 1, 7] * 17}, "keypoints: expected 0, 1 or 2 as every third number"),
        ({"bbox": [1, 2, -3, 4]}, "bbox: expected a width and height above 0"),
        ({"iscrowd": "0"}, "iscrowd: expected 0 or 1, got '0'"),
        ({"keypoints": [1]}, "keypoints: expected 51 numbers, got 1 entries"),
        ({"area": 0}, "area: expected a number above 0, got 0"),
        ({"image_id": 5}, "image_id 5 is not listed"),
        ({"category_id": {}}, "category {} is not listed"),
    ],
)
def test_the_annotation_that_is_wrong_is_named_with_what_is_wrong(make_set, changes, says):
    _, path, document = make_set(2)
    document["annotations"][0].update(changes)
    with pytest.raises(DataError) as caught:
        load_annotations(written(path, document))
    assert says in str(caught.value)
    assert "annotation 0" in str(caught.value)


def test_ids_may_be_texts_and_people_may_lack_keypoints(make_set):
    _, path, document = make_set(2)
    plain, names = load_annotations(path), {100: "fig-a", 101: "101"}
    for entry in document["images"]:
        entry["id"] = names[entry["id"]]
    for entry in document["annotations"]:
        entry["image_id"] = names[entry["image_id"]]
    empty = {**document["annotations"][0], "keypoints": None, "area": None}
    people = [*document["annotations"], empty]
    found = load_annotations(written(path, document, annotations=people))
    assert all(isinstance(image.id, int) for image in found.images)
    np.testing.assert_array_equal(found.keypoints()[0], plain.keypoints()[0])


def test_a_file_that_is_no_annotation_file_is_refused(tmp_path):
    path = tmp_path / "annotations.json"
    with pytest.raises(DataError, match="cannot be read"):
        load_annotations(path)
    for content, says in (("{", "not JSON"), ("[]", "COCO's form"), ("[" * 10**5, "deeply")):
        path.write_text(content)
        with pytest.raises(DataError, match=says):
            load_annotations(path)


@pytest.mark.parametrize("as_zip", [False, True])
def test_images_are_found_in_folders_and_archives_alone(make_set, tmp_path, as_zip):
    images, _, _ = make_set(2, as_zip=as_zip)
    with Archive(images, ["000.png", "somewhere/001.png"]) as archive:
        assert archive.image_bgr("000.png").shape == (120, 160, 3)
    with pytest.raises(DataError, match=r"1 of 2 .* 002\.png"):
        Archive(images, ["000.png", "002.png"])
    (tmp_path / "text.zip").write_text("text")
    (tmp_path / "empty").mkdir()
    for name, says in (("nothing", "or a zip"), ("text.zip", "or a zip"), ("empty", "no images")):
        with pytest.raises(DataError, match=says):
            Archive(tmp_path / name)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.png", "a/../../b", "c:\\x", "", "a\0b"])
def test_names_that_leave_the_folder_are_hostile(name, make_set, tmp_path):
    (tmp_path / "up.png").touch()
    archive = Archive(make_set(1)[0])
    assert name not in archive
    with pytest.raises(DataError, match="refused"):
        archive.read(name)


def test_a_file_far_larger_than_an_image_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("livepose.evaluation.archive.MAX_IMAGE_BYTES", 1000)
    folder, bomb = tmp_path / "images", tmp_path / "bomb.zip"
    folder.mkdir()
    (folder / "a.png").write_bytes(bytes(1001))
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(1001))
    for place in (folder, bomb):
        with pytest.raises(DataError, match="no image"):
            Archive(place).read("a.png")


@pytest.mark.parametrize("alignment", ["hrnet", "dark"])
def test_annotated_boxes_are_cut_as_published(shared, alignment):
    golden = np.load(shared / "golden" / "transform.npz")
    xywh, size = golden["annotations/boxes_xywh"], golden["annotations/image_size_wh"]
    boxes = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
    wanted = golden[f"annotations/{alignment}_center"]
    kept = np.isfinite(wanted[:, 0])
    cut = cut_at_image(boxes[kept], (int(size[0]), int(size[1])), alignment)
    middle = (cut[:, :2] + cut[:, 2:]) / 2 - (0.5 if alignment == "dark" else 0.0)
    assert np.allclose(middle, wanted[kept], atol=1e-3)


def test_boxes_on_pixel_centres_are_cut_at_the_edges_and_crowds_left_out(make_set):
    cut = cut_at_image(np.array([[-3.0, 5.0, 197.0, 15.0]]), (100, 80), "pixel_centre")
    assert cut.tolist() == [[0.0, 5.0, 100.0, 15.0]]
    _, path, document = make_set(2)
    document["annotations"][0]["iscrowd"] = 1
    annotations = load_annotations(written(path, document))
    assert [len(boxed) for boxed in annotated_boxes(annotations, "pixel_centre")] == [1, 1]


def test_boxes_of_a_file_are_taken_for_people_only(make_set, tmp_path):
    annotations, file = load_annotations(make_set(2)[1]), tmp_path / "boxes.json"
    entries = [
        {"image_id": 101, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5},
        {"image_id": 101, "category_id": 3, "bbox": [9, 9, 9, 9], "score": 0.9},
        {"image_id": 5, "category_id": 1, "bbox": [9, 9, 9, 9], "score": 0.9},
    ]
    none, one = boxes_from_file(annotations, written(file, entries))
    assert (len(none), one.boxes_xyxy.tolist(), one.scores.tolist()) == (0, [[1, 2, 4, 6]], [0.5])
    with pytest.raises(DataError, match="same set"):
        boxes_from_file(annotations, written(file, entries[2:]))
    for wrong in ("[[1, 2]]", "5", '[{"image_id": 5, "bbox": [0, 0, 1, NaN], "score": 1}]'):
        file.write_text(wrong)
        with pytest.raises(DataError, match="expected a list"):
            boxes_from_file(annotations, file)
