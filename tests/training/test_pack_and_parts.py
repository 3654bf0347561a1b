"""Packs, exported weights and their parts."""

import json
from pathlib import Path

import numpy as np
import pytest

from livepose.cli import main
from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Problems
from livepose.training.data import People
from livepose.training.pack import MANIFEST, join_parts, read_pack, split_file, write_pack
from livepose.training.settings import PackSettings
from livepose.weights import load_network


def pack(people: People, output: Path, **more: float) -> int:
    return write_pack(people, PackSettings(data=("a:b",), output=output, **more))


def test_a_pack_holds_the_same_people_with_keypoints_on_their_dots(
    people: People, tmp_path: Path
) -> None:
    file = tmp_path / "people.pack"
    assert pack(people, file, side_px=192) == file.stat().st_size
    with pytest.raises(DataError, match="made for coco17"):
        read_pack(file, "mpii16", Problems())
    packed = read_pack(file, "coco17", Problems(strict=True))
    np.testing.assert_array_equal(packed.weights, people.weights)
    for row in range(len(people)):
        before, after = people.image_bgr(row), packed.image_bgr(row)
        for index in (0, 8, 16):
            x, y = people.xy[row, index].astype(int)
            new_x, new_y = np.rint(packed.xy[row, index]).astype(int)
            assert np.abs(before[y, x].astype(int) - after[new_y, new_x]).max() < 120


def test_a_pack_keeps_within_its_size(people: People, tmp_path: Path) -> None:
    small = tmp_path / "small"
    limit = 0.8 * pack(people, tmp_path / "large") / 1e6
    assert pack(people, small, max_mb=limit) <= limit * 1e6
    with pytest.raises(UsageError, match="too little"):
        pack(people, small, max_mb=0.01)


@pytest.mark.parametrize("harm", ["missing", "changed", "no list", "../../outside", "a/b", ""])
def test_broken_parts_are_refused_and_nothing_is_written(tmp_path: Path, harm: str) -> None:
    file, folder = tmp_path / "weights.bin", tmp_path / "parts"
    file.write_bytes(b"0123456789" * 100)
    parts = split_file(file, folder, part_bytes=400)
    assert [part.stat().st_size for part in parts] == [400, 400, 200]
    assert join_parts(folder, tmp_path / "whole.bin").read_bytes() == file.read_bytes()
    manifest = folder / MANIFEST
    if harm == "missing":
        parts[1].unlink()
    elif harm == "changed":
        parts[1].write_bytes(b"x" * 400)
    elif harm == "no list":
        manifest.unlink()
    else:
        content = json.loads(manifest.read_text())
        content["parts"][0]["name"] = harm
        manifest.write_text(json.dumps(content))
    with pytest.raises(DataError):
        join_parts(folder, tmp_path / "joined.bin")
    assert not (tmp_path / "joined.bin").exists()


@pytest.mark.usefixtures("tiny_network")
def test_pack_train_resume_export_join_and_load(data: str, tmp_path: Path) -> None:
    """The way over a rented machine."""
    runs, packed = ("--runs", str(tmp_path / "runs")), str(tmp_path / "people.pack")
    assert main(["train", "pack", "--data", data, "--output", packed, "--side-px", "64"]) == 0
    small = ("--size", "32x32", "--batch", "2", "--crops", "4", "--device", "cpu")
    train = ["train", "pose", *runs, "--name", "rented"]
    assert main([*train, "--data", f"pack:{packed}", *small, "--stop-after-minutes", "0"]) == 0
    parts = tmp_path / "parts"
    assert main([*train, "--resume", "--export-parts", str(parts)]) == 0
    joined = tmp_path / "pose.safetensors"
    assert main(["train", "join", "--parts", str(parts), "--output", str(joined)]) == 0
    _, card = load_network(joined)
    assert (card.input_hw, card.activation, card.notes["crops"]) == ((32, 32), "softmax", "4")
    assert main(["train", "plot", *runs, "--name", "rented"]) == 0
    assert (tmp_path / "runs" / "rented" / "log.png").stat().st_size > 1000
