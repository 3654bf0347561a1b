"""Each row of the doctor's table, on healthy and on broken machines."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from livepose.cli import doctor_checks as checks
from livepose.cli.doctor_checks import FAIL, OK, ROWS, WARN, Machine, Verdict
from livepose.sources.camera import Camera

CPU = {"cuda_build": None, "cuda": [], "mps": False}
CUDA = {"cuda_build": "12.8", "cuda": ["NVIDIA H200"], "mps": False}


def look(name: str, **known: Any) -> Verdict:
    return ROWS[name].look(Machine(**{"installed": {}, "nvidia": False, **known}))


@pytest.mark.parametrize(
    ("name", "cores", "flags", "verdict"),
    [
        (
            *("AMD EPYC", 2, {"fpu", "avx2", "avx512f", "avx512_vnni", "avx512_bf16"}),
            Verdict(OK, "AMD EPYC, 2 cores, AVX2, AVX-512, VNNI, bf16"),
        ),
        ("Apple M3", 8, set(), Verdict(OK, "Apple M3, 8 cores")),
        (
            *("Graviton", 4, {"asimd", "asimddp"}),
            Verdict(OK, "Graviton, 4 cores, NEON, dot product"),
        ),
        (
            *("Old", 1, {"fpu", "sse2"}),
            Verdict(
                WARN,
                "Old, 1 core; without AVX2 networks are slow",
                "use a machine with AVX2 (any x86 processor since 2015), or a GPU",
            ),
        ),
    ],
)
def test_a_processor_is_named_with_what_makes_it_quick(
    monkeypatch: pytest.MonkeyPatch, name: str, cores: int, flags: set[str], verdict: Verdict
) -> None:
    for function, value in (
        ("processor_name", name), ("usable_cores", cores), ("processor_flags", flags)
    ):  # fmt: skip
        monkeypatch.setattr(checks, function, lambda value=value: value)
    assert look("processor") == verdict


@pytest.mark.parametrize(
    ("asked", "facts", "nvidia", "verdict"),
    [
        ("auto", CPU, False, Verdict(OK, "cpu")),
        ("cpu", None, False, Verdict(OK, "cpu")),
        *((asked, CUDA, True, Verdict(OK, "cpu, cuda:0 NVIDIA H200"))
          for asked in ("auto", "cuda", "cuda:0")),
        ("mps", {**CPU, "mps": True}, False, Verdict(OK, "cpu, mps")),
        ("auto", None, True, Verdict(OK, "cpu")),
    ],
)  # fmt: skip
def test_a_device_that_is_there_is_named(
    asked: str, facts: dict[str, Any] | None, nvidia: bool, verdict: Verdict
) -> None:
    torch = Verdict(OK if facts else FAIL, "", "", facts)
    assert look("device", device=asked, nvidia=nvidia, torch=torch) == verdict


@pytest.mark.parametrize(
    ("asked", "facts", "nvidia", "status", "found", "mend"),
    [
        ("cuda", CPU, True, FAIL, "cuda is not there, only cpu", "--force-reinstall torch"),
        ("cuda", CPU, False, FAIL, "cuda is not there, only cpu", "--device cpu"),
        ("cuda:1", CUDA, True, FAIL, "cuda:1 is not there, only cpu", "driver"),
        ("mps", CPU, False, FAIL, "mps is not there, only cpu", "--device cpu"),
        ("auto", CPU, True, WARN, "cpu; an NVIDIA GPU is present", "CUDA build"),
    ],
)
def test_a_device_that_cannot_be_used_comes_with_what_mends_it(
    asked: str, facts: dict[str, Any], nvidia: bool, status: str, found: str, mend: str
) -> None:
    verdict = look("device", device=asked, nvidia=nvidia, torch=Verdict(OK, "", "", facts))
    assert verdict.status == status
    assert verdict.found.startswith(found)
    assert mend in verdict.mend


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("torch", "a convolution runs"),
        ("openvino", "a model runs"),
        ("numba", "with NumPy"),
        ("opencv", "OpenCV without a name"),
        ("pyav", "writes H.264"),
        ("pose weights", "hrnet_w32 128x96, verified"),
        ("detector weights", "person_yolo11n, verified"),
        ("cameras", ""),
    ],
)
def test_looking_goes_well_here(name: str, found: str) -> None:
    """In this process, so that what is done is seen by coverage and by warnings."""
    verdict = Verdict(*json.loads(json.dumps(look(name))))
    assert verdict.status in ((OK, WARN) if name == "cameras" else (OK,))
    assert found in verdict.found


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ({"opencv-python": "5.0", "numpy": "2"}, ""),
        ({"opencv-python": "5.0", "opencv-python-headless": "4.9"}, "several at once"),
        ({"opencv-python": "5.0", "opencv-contrib-python": "5.0"}, "several at once"),
        ({"opencv-python-headless": "5.0"}, "no windows"),
    ],
)
def test_other_flavours_of_opencv_are_replaced_by_the_right_one(
    installed: dict[str, str], said: str
) -> None:
    verdict = look("opencv", installed=installed)
    reinstall = "pip install --force-reinstall opencv-python"
    if not said:
        assert verdict == Verdict(OK, "opencv-python 5.0")
        assert ROWS["opencv"].failed("broken", Machine(installed={})).mend == reinstall
        return
    assert verdict.status == WARN
    assert said in verdict.found
    assert verdict.mend == f"pip uninstall -y {' '.join(sorted(installed))} && {reinstall}"


@pytest.mark.parametrize("writable", [True, False])
def test_compiled_kernels_are_kept_or_that_is_a_warning(
    writable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "writable", lambda folder: writable)
    verdict = look("numba")
    assert verdict.status == (OK if writable else WARN)
    assert ("each start compiles anew" in verdict.found) == (not writable)
    assert verdict.mend.startswith("" if writable else "export NUMBA_CACHE_DIR=")


def test_a_window_that_cannot_be_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livepose.window.Window.available", lambda: (False, "there is no display"))
    verdict = look("window")
    assert (verdict.status, verdict.found) == (WARN, "none: there is no display")
    aborted = ROWS["window"].failed("died of SIGABRT: could not load xcb")
    assert aborted.found == "a window could not be opened: died of SIGABRT: could not load xcb"
    assert (aborted.status, aborted.mend[:7]) == (WARN, "apt-get")


def test_videos_need_h264(monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    def unknown(*words: object, **more: object) -> None:
        raise av.codec.codec.UnknownCodecError("libx264")

    monkeypatch.setattr("av.container.OutputContainer.add_stream", unknown, raising=False)
    with pytest.raises(SystemExit, match="built without libx264, so no video can be written"):
        look("pyav")


@pytest.mark.parametrize(
    ("installed", "wants", "status", "mend"),
    [
        ({"torch": "2.13.0"}, None, OK, ""),
        ({"torch": "2.13.0", "torchvision": "0.28.0"}, "torch==2.13.0", OK, ""),
        ({"torch": "2.13.0", "torchvision": "0.28.0"}, "torch (==2.13.0)", OK, ""),
        ({"torch": "2.13.0+cpu", "torchvision": "0.28.0+cpu"}, "torch==2.13.0", OK, ""),
        ({"torch": "2.13.0", "torchvision": "0.28.0"}, None, OK, ""),
        ({"torch": "2.12.1", "torchvision": "0.28.0"}, "torch==2.13.0", WARN, "vision==0.27.*"),
        ({"torch": "2.13.0+cpu", "torchvision": "0.28.0"}, "torch==2.13.0", WARN, "==0.28.0+cpu"),
    ],
)  # fmt: skip
def test_a_torchvision_of_another_torch_is_only_a_warning(
    monkeypatch: pytest.MonkeyPatch,
    installed: dict[str, str],
    wants: str | None,
    status: str,
    mend: str,
) -> None:
    monkeypatch.setattr(checks.metadata, "requires", lambda _: wants and ["numpy", wants])
    verdict = look("torchvision", installed=installed)
    assert verdict.status == status
    assert mend in verdict.mend


def test_cameras_are_named_and_none_or_a_closed_one_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device = tmp_path / "video0"
    device.touch()
    found = [Camera(0, str(device), "Webcam"), Camera(2, str(tmp_path / "gone"), "Capture")]
    monkeypatch.setattr("livepose.sources.camera.list_cameras", lambda: found)
    assert look("cameras") == Verdict(OK, "0: Webcam, 2: Capture")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    verdict = look("cameras")
    assert (verdict.status, verdict.found) == (WARN, f"no permission to read {device}")
    assert verdict.mend.startswith("sudo usermod -aG video")
    found.clear()
    assert look("cameras").found == "none found"


def test_weights_that_are_missing_or_damaged_are_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("livepose.weights.arrays.verify", lambda path: False)
    for name in ("pose weights", "detector weights"):
        assert ROWS[name].exit_code == 4
        verdict = look(name)
        assert verdict.status == FAIL and "is damaged: its hash is wrong" in verdict.found
        assert verdict.mend.startswith("pip install")
    monkeypatch.setattr("livepose.weights.places.embedded_folders", lambda: [tmp_path])
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path))
    assert look("detector weights").found == "missing from this installation"
    monkeypatch.setattr(sys, "argv", ["", "pose weights"])
    with pytest.raises(SystemExit, match="the embedded pose weights"):
        checks.main()


@pytest.mark.parametrize(
    ("free", "writable", "found"),
    [
        (20_000_000_000, True, "20 GB free"),
        (1_000_000, True, "only 1 MB are free"),
        (20_000_000_000, False, "nothing can be fetched"),
    ],
)
def test_a_cache_that_cannot_be_written_or_is_full_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, writable: bool, found: str
) -> None:
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checks, "writable", lambda folder: writable)
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda folder: usage)
    verdict = look("cache")
    assert found in verdict.found
    assert (verdict.status == OK) == (found == "20 GB free")
    assert verdict.status == OK or verdict.mend.startswith("export LIVEPOSE_CACHE=")


def test_the_advice_works_where_no_home_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setenv("LIVEPOSE_CACHE", "/proc/none")
    mend = look("cache").mend
    assert checks.writable(Path(mend.removeprefix("export LIVEPOSE_CACHE=")))


def test_whether_a_folder_can_be_written_is_tried_and_leaves_nothing(tmp_path: Path) -> None:
    assert checks.writable(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert not checks.writable(in_the_way / "below")
