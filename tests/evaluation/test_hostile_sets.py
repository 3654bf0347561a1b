"""Mutated annotations and archives, by seed: read, skipped, or refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import damaged, mutated

from livepose.errors import DataError
from livepose.evaluation.archive import MAX_IMAGE_BYTES, Archive
from livepose.evaluation.dataset import Problems, load_annotations, read_dataset
from livepose.evaluation.metrics import sigmas_of
from livepose.evaluation.mpii import load_mpii
from livepose.evaluation.predict import boxes_from_file
from livepose.skeletons import COCO17

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]
SETS, ARCHIVES = 400, 200


def refused(read: Callable[[], Any]) -> bool:
    """Whether it is refused in one sentence; anything but that is raised."""
    try:
        read()
    except DataError as error:
        assert 0 < len(str(error)) < 1000
        return True
    return False


def test_mutated_annotations_are_read_or_refused_by_every_reader(make_set: MakeSet) -> None:
    from livepose.evaluation.coco import match

    _, path, document = make_set(3)
    document["categories"] = [{"id": 1, "name": "person", "keypoints": list(COCO17.keypoints)}]
    counts = np.zeros(2, int)
    for seed in range(SETS):
        path.write_text(json.dumps(mutated(document, seed)))
        skipping = refused(lambda: read_dataset(path, Problems()))
        boxes = refused(lambda: read_dataset(path, Problems(), skeleton=None))
        scored = refused(lambda: load_annotations(path))
        assert scored or not (skipping or boxes)
        counts[int(scored)] += 1
        if not scored and seed % 20 == 0:
            match(load_annotations(path).document(), [], sigmas_of(COCO17))
    assert counts.min() > SETS / 20


@pytest.mark.parametrize("kind", ["boxes", "mpii"])
def test_other_mutated_files_are_read_or_refused(
    make_set: MakeSet, tmp_path: Path, kind: str
) -> None:
    _, path, document = make_set(2)
    file = tmp_path / "other.json"
    if kind == "boxes":
        dataset = load_annotations(path)
        good: Any = [
            {"image_id": one["image_id"], "category_id": 1, "bbox": one["bbox"], "score": 0.5}
            for one in document["annotations"]
        ]
        read: Callable[[], Any] = lambda: boxes_from_file(dataset, file)  # noqa: E731
    else:
        joints = [[10.0, 20.0]] * 16
        person = {"image": "0.png", "center": [5, 6], "scale": 1, "joints": joints}
        good = [person | {"joints_vis": [1] * 16, "head_box": [1, 1, 4, 5]}] * 2
        read = lambda: load_mpii(file).boxes("hrnet")  # noqa: E731
    found = []
    for seed in range(SETS // 2):
        file.write_text(json.dumps(mutated(good, seed)))
        found.append(refused(read))
    assert any(found)
    assert not all(found)


def test_damaged_archives_are_read_or_refused(make_set: MakeSet, tmp_path: Path) -> None:
    images, path, _ = make_set(3, as_zip=True)
    whole = images.read_bytes()
    names = [image.file_name for image in load_annotations(path).images]
    file, found = tmp_path / "damaged.zip", []
    directory = whole.index(b"PK\x01\x02")
    for seed in range(2 * ARCHIVES):
        in_front, behind = (0, len(whole)) if seed < ARCHIVES else (directory, directory + 100)
        odd = damaged(whole[in_front:behind], seed)
        file.write_bytes(whole[:in_front] + odd + whole[behind:])

        def read() -> None:
            archive = Archive(file)
            for name in names:
                archive.image_bgr(name)
            archive.close()

        found.append(refused(read))
    assert sum(found) > ARCHIVES / 2


def test_a_file_far_larger_than_a_image_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    with pytest.raises(DataError, match="no image"):
        Archive(tmp_path).read("a.jpg")
