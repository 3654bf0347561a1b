"""Mutated annotations and archives, by seed: read, skipped, or refused in one sentence."""

import json
from functools import partial

import pytest
from hostile import damaged, mutated, refused

from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import Problems, load_annotations, read_dataset
from livepose.evaluation.predict import boxes_from_file
from livepose.skeletons import COCO17
from studies.pck.mpii import load_mpii

SEEDS = 150


def test_mutated_annotations_are_read_or_refused_by_every_reader(make_set):
    _, path, document = make_set(3)
    document["categories"] = [{"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}]
    found = []
    for seed in range(SEEDS):
        path.write_text(json.dumps(mutated(document, seed)))
        skipping = refused(lambda: read_dataset(path, Problems()))
        boxes = refused(lambda: read_dataset(path, Problems(), skeleton=None))
        found.append(refused(lambda: load_annotations(path)))
        assert found[-1] or not (skipping or boxes)
    assert SEEDS / 20 < sum(found) < SEEDS * 19 / 20


@pytest.mark.parametrize("kind", ["boxes", "mpii"])
def test_other_mutated_files_are_read_or_refused(make_set, tmp_path, kind):
    _, path, document = make_set(2)
    file, dataset = tmp_path / "other.json", load_annotations(path)
    person = {"image": "0.png", "center": [5, 6], "scale": 1, "joints": [[10.0, 20.0]] * 16}
    good, read = [person | {"joints_vis": [1] * 16, "head_box": [1, 1, 4, 5]}] * 2, load_mpii
    if kind == "boxes":
        good = [one | {"score": 0.5} for one in document["annotations"]]
        read = partial(boxes_from_file, dataset)
    found = []
    for seed in range(SEEDS):
        file.write_text(json.dumps(mutated(good, seed)))
        found.append(refused(lambda: read(file)))
    assert any(found) and not all(found)


def test_damaged_archives_are_read_or_refused(make_set, tmp_path):
    images, path, _ = make_set(3, as_zip=True)
    whole, file = images.read_bytes(), tmp_path / "damaged.zip"
    names = [image.file_name for image in load_annotations(path).images]
    directory = whole.index(b"PK\x01\x02")

    def read() -> None:
        with Archive(file) as archive:
            for name in names:
                archive.image_bgr(name)

    found = []
    for seed in range(SEEDS):
        start, end = (0, len(whole)) if seed % 2 else (directory, directory + 100)
        file.write_bytes(whole[:start] + damaged(whole[start:end], seed) + whole[end:])
        found.append(refused(read))
    assert sum(found) > SEEDS / 4
