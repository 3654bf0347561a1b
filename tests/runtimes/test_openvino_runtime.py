"""OpenVINO says what torch says, from the first start and from the cache, in every batch size."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import relative_error

from livepose.errors import DeviceError
from livepose.heatmaps import decode
from livepose.runtimes import graph_store, open_runtime
from livepose.runtimes.openvino_runtime import OpenVinoRuntime, has_bf16
from livepose.weights import read_card
from livepose.weights.places import DEFAULT_POSE, SUFFIX, embedded_file

Photographs = Callable[[tuple[int, int]], NDArray[np.uint8]]

ERRORS = {"f32": 0.005, "bf16": 0.05}
SHIFTS_PX = {"f32": 0.01, "bf16": 0.05}
PRECISIONS = [
    "f32",
    pytest.param(
        "bf16", marks=pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
    ),
]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("which", ["hrnet_file", "resnet_file"])
def test_heatmaps_of_photographs_are_those_of_torch(
    which: str,
    precision: str,
    photographs: Photographs,
    request: pytest.FixtureRequest,
) -> None:
    path: Path = request.getfixturevalue(which)
    card = read_card(path)
    crops = photographs(card.input_hw)[:4]
    expected = open_runtime(path, runtime="torch")(crops)
    # Random weights have flat maps: in bf16 their peaks jump, and the check would refuse them.
    model, _, _ = graph_store.own_graph(path, card)
    runtime = OpenVinoRuntime(model, card, precision)
    heatmaps = runtime(crops)
    assert (runtime.name, runtime.device, runtime.precision) == ("openvino", "cpu", precision)
    assert heatmaps.dtype == np.float32
    assert heatmaps.shape == expected.shape
    assert relative_error(heatmaps, expected) < ERRORS[precision]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_keypoints_of_the_embedded_weights_stay_where_torch_sees_them(
    precision: str, photographs: Photographs
) -> None:
    path = embedded_file(DEFAULT_POSE + SUFFIX)
    if path is None:
        pytest.skip(f"the embedded weights {DEFAULT_POSE} are not in this checkout")
    card = read_card(path)
    crops = photographs(card.input_hw)
    expected = decode(open_runtime(path, runtime="torch")(crops), "dark", card.blur_kernel)
    runtime = open_runtime(path, runtime="openvino", precision=precision)
    found = decode(runtime(crops), "dark", card.blur_kernel)
    sure = expected.scores > 0.2
    shift_px = 4 * np.linalg.norm(found.xy - expected.xy, axis=-1)[sure]
    assert sure.mean() > 0.2
    assert np.median(shift_px) < SHIFTS_PX[precision]


@pytest.mark.parametrize("mode", ["latency", "throughput"])
def test_every_batch_size_gives_the_same_in_the_same_order(mode: str, resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="openvino", precision="f32", mode=mode)
    crops = np.random.default_rng(0).integers(0, 256, (11, *runtime.card.input_hw, 3), np.uint8)
    singly = np.concatenate([runtime(crop[None]) for crop in crops])
    runtime.warm_up((1, 2, 4, 11))
    for count in (1, 2, 3, 5, 8, 11):
        assert np.abs(runtime(crops[:count]) - singly[:count]).max() < 1e-3 * singly.std()
    assert runtime(crops[:0]).shape == (0, 16, 16, 24)


def test_an_answer_is_not_overwritten_by_the_next_one(resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="openvino", precision="f32")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    first = runtime(crops[:1])
    before = first.copy()
    second = runtime(crops[1:])
    assert np.array_equal(first, before)
    assert not np.array_equal(first, second)


def test_a_batch_that_was_not_warmed_up_compiles_nothing(resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="openvino", precision="f32")
    assert isinstance(runtime, OpenVinoRuntime)
    runtime(np.zeros((5, 64, 96, 3), np.uint8))
    assert list(runtime._compiled) == [1]
    runtime.warm_up((3,))
    assert list(runtime._compiled) == [1, 2]


def test_wrong_crops_are_refused(resnet_file: Path) -> None:
    runtime = open_runtime(resnet_file, runtime="openvino", precision="f32")
    with pytest.raises(ValueError, match=r"crops have to be uint8 \(B, 64, 96, 3\)"):
        runtime(np.zeros((1, 96, 64, 3), np.uint8))


def test_a_second_start_converts_nothing(
    resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = open_runtime(resnet_file, runtime="openvino", precision="f32")
    monkeypatch.setattr(graph_store, "convert", None)
    again = open_runtime(resnet_file, runtime="openvino", precision="f32")
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    assert np.array_equal(again(crops), expected(crops))


def test_the_conversion_is_announced_once(
    said: list[str], resnet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    for expected in (1, 0):
        said.clear()
        open_runtime(resnet_file, "openvino", precision="f32")
        assert sum("preparing the pose network" in line for line in said) == expected
    (folder,) = (tmp_path / "openvino").iterdir()
    assert {path.name for path in folder.iterdir()} > {"graph.xml", "graph.bin", "probed.npy"}
    assert any(path.suffix == ".blob" for path in folder.iterdir())


@pytest.mark.parametrize("name", ["graph.xml", "graph.bin", "probed.npy"])
def test_a_damaged_cache_is_made_again(
    said: list[str],
    name: str,
    resnet_file: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_runtime(resnet_file, "openvino", precision="f32")
    key = graph_store.key(read_card(resnet_file))
    kept = shutil.copytree(cache / "openvino" / key, tmp_path / "openvino" / key)
    for blob in kept.glob("*.blob"):
        blob.unlink()
    (kept / name).write_bytes((kept / name).read_bytes()[:60])
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    said.clear()
    runtime = open_runtime(resnet_file, "openvino", precision="f32")
    assert "preparing the pose network" in said[0]
    assert np.isfinite(runtime(np.zeros((1, 64, 96, 3), np.uint8))).all()


@pytest.mark.parametrize("damage", ["cut short", "other numbers", "empty"])
def test_a_damaged_compiled_network_is_compiled_again(
    damage: str, resnet_file: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = open_runtime(resnet_file, "openvino", precision="f32")
    key = graph_store.key(read_card(resnet_file))
    kept = shutil.copytree(cache / "openvino" / key, tmp_path / "openvino" / key)
    blobs = list(kept.glob("*.blob"))
    assert blobs
    for blob in blobs:
        whole = bytearray(blob.read_bytes())
        if damage == "other numbers":
            middle = len(whole) // 2
            whole[middle : middle + 1_000_000] = b"\x3f" * 1_000_000
        blob.write_bytes({"cut short": whole[:1000], "empty": b""}.get(damage, whole))
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    runtime = open_runtime(resnet_file, "openvino", precision="f32")
    crops = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    assert np.allclose(runtime(crops), expected(crops), atol=1e-6)


def test_a_cache_that_cannot_be_written_is_done_without(
    resnet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "file"))
    runtime = open_runtime(resnet_file, "openvino", precision="f32")
    assert runtime(np.zeros((1, 64, 96, 3), np.uint8)).shape == (1, 16, 16, 24)


def test_the_key_changes_with_everything_that_changes_the_graph(resnet_file: Path) -> None:
    from dataclasses import replace

    card = read_card(resnet_file)
    changed = [
        replace(card, colour="rgb"),
        replace(card, activation="none"),
        replace(card, sigma=2.0),
        replace(card, input_hw=(128, 96)),
        replace(card, sha256="0" * 64),
    ]
    keys = {graph_store.key(one) for one in (card, *changed)}
    assert len(keys) == len(changed) + 1


def test_only_the_graphs_used_last_are_kept(tmp_path: Path) -> None:
    import os

    for number in range(graph_store.KEPT_FOLDERS + 3):
        folder = tmp_path / f"n{number}"
        folder.mkdir()
        (folder / graph_store.PROBED).touch()
        os.utime(folder, (number, number))
    (tmp_path / "somebody-else").mkdir()
    graph_store._prune(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"n{n}" for n in range(3, graph_store.KEPT_FOLDERS + 3)} | {"somebody-else"}


def test_the_ends_of_the_graph_are_marked_to_stay_precise(hrnet_file: Path, cache: Path) -> None:
    open_runtime(hrnet_file, "openvino", precision="f32")
    graph = cache / "openvino" / graph_store.key(read_card(hrnet_file)) / "graph.xml"
    layers = ElementTree.fromstring(graph.read_text()).findall("layers/layer")  # noqa: S314
    marked = [
        layer for layer in layers if layer.find("rt_info/attribute[@name='precise']") is not None
    ]
    kinds = [layer.get("type") for layer in marked]
    assert 3 <= kinds.count("Convolution") <= 6
    assert len(marked) < 0.03 * len(layers)


def test_wrong_heatmaps_stop_the_runtime_that_was_asked_for(
    said: list[str], resnet_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = graph_store.own_graph

    def lying(*arguments: object) -> object:
        model, reference, folder = truth(*arguments)  # type: ignore[arg-type]
        return model, reference[:, ::-1], folder

    monkeypatch.setattr(graph_store, "own_graph", lying)
    with pytest.raises(DeviceError, match="openvino on cpu in f32 finds other keypoints"):
        open_runtime(resnet_file, "openvino", precision="f32")
    runtime = open_runtime(resnet_file, precision="f32")
    assert runtime.name == "torch"
    assert any("not openvino, cpu, f32" in line for line in said)


def test_a_start_from_the_cache_tells_nobody(resnet_file: Path) -> None:
    code = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('somebody was called')\n"
        "socket.socket.connect = refuse\n"
        "from livepose.runtimes import open_runtime\n"
        f"open_runtime({str(resnet_file)!r}, 'openvino', precision='f32')\n"
        "print('done')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "done", run.stderr
