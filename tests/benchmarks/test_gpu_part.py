"""The GPU part of the benchmarks, rehearsed on the CPU with a tiny network: it runs to its end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gpu.toys import CARD, toy_network
from torch import Tensor, nn

from benchmarks import gpu, gpu_rounds
from benchmarks.gpu_clock import Ceilings
from benchmarks.gpu_stages import layer_numbers, measure_network, network_work, row
from benchmarks.plan import QUICK
from benchmarks.rounds import Length
from livepose.detection.cuda_engine import CudaEngine
from livepose.detection.torch_engine import TorchEngine
from livepose.detection.yolo import YoloDetector
from livepose.runtimes.cuda_graph import CudaStream
from livepose.runtimes.frames import DeviceFrames
from livepose.runtimes.openvino import one_thread

PLAN = replace(
    QUICK, rounds=1, warm_up_frames=1, scene_frames=2, length=Length(least=2, most=2), runs=1
)


@pytest.fixture
def subject() -> gpu_rounds.Subject:
    return gpu_rounds.Subject(toy_network(), CARD, "cpu", (1, 2, 4), detector="none")


@pytest.fixture
def without_yolo(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(device: str) -> None:
        raise ImportError("No module named 'ultralytics'")

    monkeypatch.setattr(gpu_rounds, "YoloPose", absent)


def test_the_rehearsal_measures_every_figure(
    said: list[str], subject: gpu_rounds.Subject, without_yolo: None, tmp_path: Path
) -> None:
    with one_thread():
        part = gpu.measure_gpu(PLAN, subject)
    for people in ("1", "4"):
        rows = part["end_to_end"][people]["rows"]
        assert set(rows) == {"livepose", "crop by crop"}
        for row_ in rows.values():
            assert row_["people"] == int(people)
            assert row_["fps"]["median"] > 0
            assert row_["p95_ms"] >= row_["p50_ms"] > 0
        assert part["end_to_end"][people]["held_mib"] == 0
        stages = part["stages"][people]["stages"]
        assert set(stages) == {"upload", "crop", "network", "decode"}
        assert part["stages"][people]["decode_on_host_ms"] > 0
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
    assert "livepose holds 0 MiB of the GPU for 4 people." in text
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
    one, two = gpu_rounds.Crowd(4, 3), gpu_rounds.Crowd(4, 3)
    np.testing.assert_array_equal(one.image(1), two.image(1))
    boxes = one.boxes_xyxy(0)
    assert boxes.shape == (4, 4)
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert (boxes.mean(axis=0)[:2] > 0).all()


def test_a_machine_without_cuda_is_told_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livepose.runtimes.select.cuda_devices", lambda: 0)
    assert gpu.main(["--device", "cuda"]) == 5
    assert "CUDA was asked for" in capsys.readouterr().err


def test_compilers_are_recorded_too_and_one_that_fails_is_said(
    said: list[str], subject: gpu_rounds.Subject
) -> None:
    runtime = subject.runtime()

    def broken() -> None:
        raise RuntimeError("no compiler here\nand a long trace")

    measured = measure_network(
        runtime,
        {"eager f32": runtime.graph},
        {"compiled": lambda: runtime.graph, "broken": broken},
        1,
    )
    assert set(measured["ms"]) == {"recorded", "eager f32", "compiled"}
    assert said == ["no broken: no compiler here"]


def test_compilers_are_tried_on_a_gpu_alone(subject: gpu_rounds.Subject) -> None:
    runtime = subject.runtime()
    assert gpu.compilers(subject, runtime) == {}
    assert set(gpu.compilers(replace(subject, device="cuda:0"), runtime)) == {
        "torch.compile",
    }


class OnePerson(nn.Module):
    """Sees the same person in every picture."""

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.tensor([48.0, 40.0, 20.0, 60.0, 0.9]).view(1, 5, 1).repeat(len(pictures), 1, 7)


def test_the_straightforward_way_has_a_detector_without_recordings() -> None:
    engine = CudaEngine(OnePerson(), 0, DeviceFrames(CudaStream("cpu")))
    detector = YoloDetector(engine, "one person", 0, 1, 96)
    picture = np.zeros((96, 96, 3), np.uint8)
    (recorded,) = detector([picture])
    plain = gpu_rounds.eager(detector)
    assert isinstance(plain, YoloDetector)
    assert isinstance(plain.engine, TorchEngine)
    (found,) = plain([picture])
    np.testing.assert_allclose(found.boxes_xyxy, [[38, 10, 58, 70]])
    np.testing.assert_allclose(found.boxes_xyxy, recorded.boxes_xyxy)
    assert gpu_rounds.eager(None) is None
