"""Packs, parts, and the way over a rented machine."""

from dataclasses import replace

import numpy as np
import pytest

from livepose.cli import main
from livepose.errors import DataError, SinkError, UsageError
from livepose.skeletons import COCO17, MPII16
from livepose.training.data import parse_set
from livepose.training.pack import LIST, join_parts, read_pack, split_file, write_pack
from livepose.training.settings import PackSettings
from livepose.weights.checkpoint import load_network


def test_a_pack_holds_the_same_people_with_keypoints_on_their_dots(people, tmp_path):
    spec = parse_set(f"pack:{tmp_path / 'people.pack'}:2")
    assert write_pack(people, PackSettings(data=("a:b",), output=spec.annotations)) < 200_000
    with pytest.raises(DataError, match="made for coco17"):
        read_pack(spec, MPII16)
    packed = read_pack(spec, COCO17)
    np.testing.assert_array_equal(packed.weights, people.weights)
    assert packed.draw_weights.tolist() == [2.0] * len(people)
    for row in range(len(people)):
        before, after = people.image_bgr(row), packed.image_bgr(row)
        for index in (0, 8, 16):
            x, y = people.xy[row, index].astype(int)
            new_x, new_y = np.rint(packed.xy[row, index]).astype(int)
            assert np.abs(before[y, x].astype(int) - after[new_y, new_x]).max() < 120


def test_a_pack_keeps_within_its_size_and_a_full_disk_is_said(people, tmp_path):
    how = PackSettings(data=("a:b",), output=tmp_path / "people.pack")
    whole = write_pack(people, how)
    assert write_pack(people, replace(how, max_mb=0.8 * whole / 1e6)) < 0.8 * whole
    with pytest.raises(UsageError, match=r"--max-mb 0\.001 is too little"):
        write_pack(people, replace(how, max_mb=0.001))
    (tmp_path / "full.pack").symlink_to("/dev/full")
    with pytest.raises(SinkError, match=r"full\.pack: the disk is full"):
        write_pack(people, replace(how, output=tmp_path / "full.pack"))


@pytest.mark.parametrize("harm", ["missing", "changed", "no list", "short", "../../outside", ""])
def test_broken_parts_are_refused_and_nothing_is_written(tmp_path, harm):
    file, folder = tmp_path / "weights.bin", tmp_path / "parts"
    file.write_bytes(b"0123456789" * 100)
    parts = split_file(file, folder, part_bytes=400)
    assert [part.stat().st_size for part in parts] == [400, 400, 200]
    assert join_parts(folder, tmp_path / "whole.bin").read_bytes() == file.read_bytes()
    listed = folder / LIST
    if harm == "missing":
        parts[1].unlink()
    elif harm == "changed":
        parts[1].write_bytes(b"x" * 400)
    elif harm == "no list":
        listed.unlink()
    elif harm == "short":
        listed.write_text("".join(listed.read_text().splitlines(keepends=True)[:-1]))
    else:
        listed.write_text(listed.read_text().replace(parts[0].name, harm))
    with pytest.raises(DataError):
        join_parts(folder, tmp_path / "joined.bin")
    assert not (tmp_path / "joined.bin").exists()


@pytest.mark.usefixtures("tiny_network")
def test_pack_train_resume_export_join_and_load(data, tmp_path):
    packed, weights = str(tmp_path / "people.pack"), tmp_path / "joined.safetensors"
    parts = str(tmp_path / "parts")
    pack = ["train", "pack", "--data", data, "--output", packed, "--side-px", "64"]
    assert [main(pack), main(pack), main([*pack, "--overwrite"])] == [0, 2, 0]
    assert main(["train", "pack", "--data", f"pack:{packed}", *pack[4:], "--overwrite"]) == 2
    small = ("--size", "32x32", "--batch", "2", "--crops", "4", "--device", "cpu", "--dev", data)
    train = ["train", "pose", "--runs", str(tmp_path / "runs"), "--name", "rented"]
    assert main([*train, "--data", f"pack:{packed}", *small]) == 0
    assert main([*train, "--resume", "--export-parts", parts]) == 0
    join = ["train", "join", "--parts", parts, "--output", str(weights)]
    assert [main(join), main(join), main([*join, "--overwrite"])] == [0, 2, 0]
    _, card = load_network(weights)
    assert (card.input_hw, card.activation) == ((32, 32), "softmax")
    assert (card.notes["crops"], card.notes["data"]) == ("4", "people.pack")
    assert card.notes[f"validation {tmp_path.name}/set"].startswith("ap ")
    assert main(["train", "plot", *train[2:]]) == 0
    assert (tmp_path / "runs" / "rented" / "log.png").stat().st_size > 1000
