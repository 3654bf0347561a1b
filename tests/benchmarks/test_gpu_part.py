"""The GPU part of the benchmarks, rehearsed on the CPU with a tiny network: it runs to its end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gpu.toys import CARD, toy_network

from benchmarks import gpu
from benchmarks.gpu_clock import Ceilings
from benchmarks.gpu_stages import layer_numbers, network_work, row
from benchmarks.plan import QUICK
from livepose.offline.rounds import Length
from livepose.runtimes.library import one_thread

PLAN = replace(QUICK, rounds=1, warm_up_frames=1, scene_frames=2, length=Length.of(2), runs=1)


@pytest.fixture
def subject() -> gpu.Subject:
    return gpu.Subject(toy_network(), CARD, "cpu", (1, 2, 4), detector="none")


@pytest.fixture
def without_yolo(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(device: str) -> None:
        raise ImportError("No module named 'ultralytics'")

    monkeypatch.setattr(gpu, "YoloPose", absent)


def test_the_rehearsal_measures_every_figure(
    subject: gpu.Subject, without_yolo: None, tmp_path: Path
) -> None:
    said: list[str] = []
    with one_thread():
        part = gpu.measure_gpu(PLAN, said.append, subject)
    for people in ("1", "4"):
        rows = part["end_to_end"][people]["rows"]
        assert set(rows) == {"livepose", "crop by crop"}
        for row_ in rows.values():
            assert row_["people"] == int(people)
            assert row_["fps"]["median"] > 0
            assert row_["p95_ms"] >= row_["p50_ms"] > 0
        stages = part["stages"][people]["stages"]
        assert set(stages) == {"upload", "crop", "network", "decode"}
        assert all(stage["ms"] > 0 and stage["bound_ms"] > 0 for stage in stages.values())
    assert set(part["network"]["ms"]) == {"recorded", "eager f32"}
    assert part["offline"]["batch"] == 4
    assert part["offline"]["crops_per_s"] > 0
    assert "no YOLO11n-pose: No module named 'ultralytics'" in said
    path = tmp_path / "gpu.json"
    gpu.save(part, path)
    saved = json.loads(path.read_text())
    assert saved["parts"]["gpu"]["offline"] == part["offline"]
    assert "commit" in saved["parts"]["gpu"]
    text = "\n".join(gpu.markdown(part))
    assert "| livepose | 4 |" in text
    assert "a rehearsal without a GPU" in part["device"]["note"]


def test_a_bound_is_the_larger_of_the_two() -> None:
    ceilings = Ceilings(multiply_flops=1e12, copy_bytes_per_s=1e9, upload_bytes_per_s=1e8)
    assert ceilings.bound_ms(2e9, 1e6) == pytest.approx(2.0)
    assert ceilings.bound_ms(2e9, 5e6) == pytest.approx(5.0)
    assert row(4.0, 1.0)["of_bound"] == 0.25


def test_operations_and_bytes_are_counted_by_hand() -> None:
    network = toy_network()
    first = 8 * 3 * 81, 32 * 24
    second = 17 * 8 * 81, 16 * 12
    flops, moved = network_work(network, (64, 48), 2, 2)
    assert flops == 2 * 2 * (first[0] * first[1] + second[0] * second[1])
    between = 3 * 64 * 48 + 8 * 32 * 24 * 2 + 17 * 16 * 12
    assert layer_numbers(network, (64, 48)) == between
    parameters = first[0] + 8 + second[0] + 17
    assert moved == 2 * (parameters + 2 * between)


def test_the_scene_is_always_the_same_and_its_boxes_are_in_it() -> None:
    one, two = gpu.Crowd(4, 3), gpu.Crowd(4, 3)
    np.testing.assert_array_equal(one.image(1), two.image(1))
    boxes = one.boxes_xyxy(0)
    assert boxes.shape == (4, 4)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes.mean(axis=0)[:2] > 0).all()


def test_a_machine_without_cuda_is_told_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livepose.runtimes.selection.cuda_devices", lambda: 0)
    assert gpu.main(["--device", "cuda"]) == 5
    assert "CUDA was asked for" in capsys.readouterr().err
