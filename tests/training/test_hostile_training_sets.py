"""Mutated sets and packs, by seed, through the readers of a training: read or refused."""

import json
from pathlib import Path

from hostile import damaged, mutated, refused

from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Problems
from livepose.skeletons import COCO17
from livepose.training.data import SetSpec, read_set
from livepose.training.detector import read_boxed
from livepose.training.pack import LIST, join_parts, read_pack, split_file, write_pack
from livepose.training.settings import DetectorSettings, PackSettings, PoseSettings

SEEDS = 50
ONE_OF = (DataError, UsageError)


def test_mutated_sets_are_read_or_refused(drawn_set):
    file, images = drawn_set / "annotations.json", drawn_set / "images.zip"
    good = json.loads(file.read_text())
    for one in good["annotations"]:
        one.update(teacher=[30.0, 40.0, 0.8] * 17, teacher_spread=[0.01] * 17)
        one["teacher_disagreement"] = [None, *[0.01] * 16]
    boxes = DetectorSettings(data=(f"{images}:{file}",), samples=1)
    found = []
    for seed in range(SEEDS):
        file.write_text(json.dumps(mutated(good, seed)))
        found.append(refused(lambda: read_set(SetSpec(images, file), COCO17, Problems())))
        refused(lambda: read_boxed(boxes))
    assert 0 < sum(found) < SEEDS


def test_damaged_packs_parts_and_settings_are_read_or_refused(people, tmp_path):
    pack, folder = tmp_path / "people.pack", tmp_path / "parts"
    write_pack(people, PackSettings(data=("a:b",), output=pack, side_px=48))
    split_file(pack, folder, part_bytes=4000)
    whole, listed = pack.read_bytes(), (folder / LIST).read_bytes()
    settings = json.loads(PoseSettings(data=("a:b",), samples=1).to_json())
    found = []
    for seed in range(SEEDS):
        pack.write_bytes(damaged(whole, seed))
        found.append(refused(lambda: read_pack(SetSpec(Path("pack"), pack), COCO17)))
        (folder / LIST).write_bytes(damaged(listed, seed))
        found.append(refused(lambda: join_parts(folder, tmp_path / "joined")))
        text = json.dumps(mutated(settings, seed))
        found.append(refused(lambda text=text: PoseSettings.from_json(text), ONE_OF))
    assert any(found)
