"""Packs, exported weights and their parts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from livepose.cli import main
from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Problems
from livepose.training.data import People
from livepose.training.pack import FORMAT, MANIFEST, join_parts, read_pack, split_file, write_pack
from livepose.training.settings import PackSettings


def how(output: Path, **more: Any) -> PackSettings:
    return PackSettings(data=("a:b",), output=output, **more)


def unpack(file: Path) -> People:
    return read_pack(file, "coco17", Problems(strict=True))


def test_a_pack_holds_the_same_people_with_keypoints_on_their_dots(
    people: People, tmp_path: Path
) -> None:
    file = tmp_path / "people.pack"
    assert write_pack(people, how(file, side_px=192)) == file.stat().st_size
    packed = unpack(file)
    np.testing.assert_array_equal(packed.weights, people.weights)
    for row in range(len(people)):
        before = people.image_bgr(row)
        after = packed.image_bgr(row)
        for index in (0, 8, 16):
            here, there = people.xy[row, index].astype(int), np.rint(packed.xy[row, index])
            x, y = there.astype(int)
            difference = before[here[1], here[0]].astype(int) - after[y, x]
            assert np.abs(difference).max() < 120


def test_a_pack_keeps_within_its_size(people: People, tmp_path: Path) -> None:
    large, small = tmp_path / "large", tmp_path / "small"
    write_pack(people, how(large))
    limit = 0.8 * large.stat().st_size / 1e6
    write_pack(people, how(small, max_mb=limit))
    assert small.stat().st_size <= limit * 1e6
    with pytest.raises(UsageError, match="too little"):
        write_pack(people, how(small, max_mb=0.01))


def test_a_damaged_pack_is_refused(people: People, tmp_path: Path) -> None:
    file = tmp_path / "people.pack"
    write_pack(people, how(file))
    with pytest.raises(DataError, match="made for coco17"):
        read_pack(file, "mpii16", Problems())
    tensors = load_file(file)
    tensors["xy"] = tensors["xy"][:-1]
    other = tmp_path / "other.pack"
    save_file(tensors, other, metadata={"format": FORMAT, "skeleton": "coco17"})
    with pytest.raises(DataError, match="xy: expected the shape"):
        unpack(other)
    for spoiled in (file.read_bytes()[:-50], b"something else"):
        file.write_bytes(spoiled)
        with pytest.raises(DataError, match="expected a pack"):
            unpack(file)


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


@pytest.mark.slow
def test_pack_train_resume_export_join_and_load(data: str, tmp_path: Path) -> None:
    """The way over a rented machine, with the real network, very small."""
    from livepose.weights import load_network

    runs, pack = ("--runs", str(tmp_path / "runs")), str(tmp_path / "people.pack")
    assert main(["train", "pack", "--data", data, "--output", pack, "--side-px", "64"]) == 0
    small = ("--size", "32x32", "--batch", "2", "--crops", "4", "--device", "cpu")
    train = ["train", "pose", *runs, "--name", "rented"]
    assert main([*train, "--data", f"pack:{pack}", *small, "--stop-after-minutes", "0"]) == 0
    parts = tmp_path / "parts"
    assert main([*train, "--resume", "--export-parts", str(parts)]) == 0
    assert all(part.stat().st_size < 16e6 for part in parts.iterdir())
    joined = tmp_path / "pose.safetensors"
    assert main(["train", "join", "--parts", str(parts), "--output", str(joined)]) == 0
    _, card = load_network(joined)
    assert (card.input_hw, card.activation, card.notes["crops"]) == ((32, 32), "softmax", "4")
    assert main(["train", "plot", *runs, "--name", "rented"]) == 0
    assert (tmp_path / "runs" / "rented" / "log.png").stat().st_size > 1000
