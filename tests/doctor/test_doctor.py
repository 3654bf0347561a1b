"""The doctor: each check on healthy and on broken machines, and what is made of its findings."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from window.xvfb import running_display

from livepose import machine
from livepose.cli import doctor, main
from livepose.cli.doctor import CHECKS, FAIL, OK, WARN, Verdict, probe
from livepose.sources.camera import Camera

CPU = {"cuda_build": None, "cuda": [], "mps": False}
CUDA = {"cuda_build": "12.8", "cuda": ["NVIDIA H200"], "mps": False}


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    """What is said of this machine, healthy at first; tests break single checks."""
    told = {name: Verdict(OK, "fine") for name, check in CHECKS.items() if check.broken}
    told["torch"] = Verdict(OK, "2.13.0, a convolution runs", "", CPU)
    monkeypatch.setattr(doctor, "probe", lambda name: told[name])
    monkeypatch.setattr(doctor, "answer_of", lambda *words: "")
    return told


def test_a_healthy_machine_is_usable(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "livepose is usable here"
    names = [name for line in lines for name in CHECKS if re.match(rf"(ok|warn) +{name}  ", line)]
    assert names == list(CHECKS)


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        *(("pose weights", 4), ("detector weights", 4), ("torch", 5)),
        *(("numba", 1), ("pyav", 1), ("opencv", 1)),
        *(("openvino", 0), ("window", 0), ("cameras", 0)),
    ],
)
def test_what_is_broken_has_its_exit_code_and_its_mending_command_on_one_line(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str], broken: str, code: int
) -> None:
    check = CHECKS[broken]
    verdicts[broken] = Verdict(check.broken, "it is broken " * 20, check.advice)
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    advice = next(line for line in lines if line.startswith(f"{broken}: "))
    assert "install" in advice or "livepose cameras" in advice
    assert lines[-1] == (f"not usable yet: {broken}" if code else "livepose is usable here")


def test_json_says_the_same_and_the_first_failure_decides_the_exit_code(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Verdict(FAIL, "/p is damaged", "install it")
    verdicts["pose weights"] = broken
    assert main(["doctor", "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["usable"], said["exit_code"]) == (False, 4)
    line = next(check for check in said["checks"] if check["name"] == "pose weights")
    expected = {"status": "fail", "found": "/p is damaged", "advice": "install it"}
    assert line == {"name": "pose weights", **expected}
    verdicts["torch"] = broken
    assert main(["doctor"]) == 5


def test_a_light_install_is_usable_and_not_asked_for_what_it_lacks(
    verdicts: dict[str, Verdict],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del verdicts["torch"]
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert main(["doctor", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    absent = {one["name"]: one for one in checks if one["found"].startswith("not installed: ")}
    assert set(absent) == {"torch", "ultralytics"}
    assert {one["advice"] for one in absent.values()} == {"pip install 'livepose[torch]'"}
    assert {one["status"] for one in absent.values()} == {WARN}


def test_a_device_asked_for_and_absent_ends_with_five_and_an_unknown_one_with_two(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--device", "cuda"]) == 5
    assert "cuda is not there, only cpu" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--device", "tpu"])
    assert "expected auto, cpu, cuda" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "properties", "nvidia", "status", "found", "advice"),
    [
        ("auto", CPU, False, OK, "cpu", ""),
        ("auto", {}, True, OK, "cpu", ""),
        *((asked, CUDA, True, OK, "cpu, cuda:0 NVIDIA H200", "") for asked in ("auto", "cuda:0")),
        ("mps", {**CPU, "mps": True}, False, OK, "cpu, mps", ""),
        ("cuda", CPU, True, FAIL, "cuda is not there, only cpu", "--force-reinstall torch"),
        ("cuda", CPU, False, FAIL, "cuda is not there, only cpu", "--device cpu"),
        ("cuda:1", CUDA, True, FAIL, "cuda:1 is not there, only cpu", "driver"),
        ("mps", CPU, True, FAIL, "mps is not there, only cpu", "--device cpu"),
        ("auto", CPU, True, WARN, "cpu; an NVIDIA GPU is present", "CUDA build"),
    ],
)
def test_a_device_is_named_or_comes_with_what_mends_it(
    asked: str,
    properties: dict[str, Any],
    nvidia: bool,
    status: str,
    found: str,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "answer_of", lambda *words: "GPU 0: H200" if nvidia else "")
    verdict = doctor._device(asked, properties)
    assert verdict.status == status
    assert verdict.found.startswith(found)
    assert advice in verdict.advice


@pytest.mark.parametrize(
    ("listing", "status", "found"),
    [
        ("model name\t: A CPU\nflags\t\t: fpu avx2 avx512f\n", OK, "A CPU, 2 cores, avx2, avx512f"),
        ("Features\t: fp asimd asimddp\n", OK, ", 2 cores, asimd, asimddp"),
        ("model name : Old\nflags : fpu sse2\n", WARN, "Old, 2 cores; without AVX2 networks are"),
        ("", OK, ", 2 cores"),
    ],
)
def test_a_processor_is_named_with_what_makes_it_quick(
    listing: str, status: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(listing)
    monkeypatch.setattr(machine, "CPUINFO", cpuinfo)
    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    verdict = CHECKS["processor"].run()
    assert verdict.status == status
    assert found in verdict.found


@pytest.mark.parametrize(
    ("name", "module", "code", "status", "found"),
    [
        (
            *("openvino", "openvino", "raise ImportError('libopenvino.so: no such file')"),
            *(WARN, "ImportError: libopenvino.so: no such file"),
        ),
        ("opencv", "cv2", "import os; os.abort()", FAIL, "died of SIGABRT"),
        ("torch", "torch", "import time; time.sleep(60)", FAIL, "did not answer within 3 s"),
        ("numba", "numba", "raise SystemExit(7)", FAIL, "ended with exit code 7"),
    ],
)
def test_a_library_that_is_broken_is_a_finding_and_does_not_take_the_doctor_along(
    tmp_path: Path, name: str, module: str, code: str, status: str, found: str
) -> None:
    if "SIG" in found and sys.platform == "win32":
        pytest.skip("an abort has no signal on Windows")
    (tmp_path / f"{module}.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    verdict = probe(name, environment, timeout_s=3.0 if name == "torch" else 60.0)
    assert verdict.status == status
    assert verdict.found.startswith(found)
    assert "install" in verdict.advice


def test_an_unreachable_display_is_a_reason_and_no_crash() -> None:
    verdict = probe("window", {**os.environ, "DISPLAY": ":4321"})
    assert verdict.status in (OK, WARN)
    if sys.platform.startswith("linux"):
        assert ":4321 cannot be reached" in verdict.found


def test_on_a_display_the_doctor_really_opens_a_window(tmp_path: Path) -> None:
    with running_display(tmp_path) as display:
        assert probe("window", display.environment)[:2] == (OK, "opens")


@pytest.mark.slow
def test_the_real_doctor_says_valid_json_and_ends_with_the_code_it_says() -> None:
    command = [sys.executable, "-m", "livepose", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"]
    statuses = {check["name"]: check["status"] for check in said["checks"]}
    for name in CHECKS.keys() - {"window", "cameras", "ultralytics"}:
        assert statuses[name] == OK, said
    for check in said["checks"]:
        assert check["status"] == OK or check["advice"], check


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        (["opencv-python"], ""),
        (["opencv-python", "opencv-python-headless"], "several at once"),
        (["opencv-python-headless"], "no windows"),
    ],
)
def test_other_flavours_of_opencv_are_replaced_by_the_right_one(
    installed: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [SimpleNamespace(metadata={"Name": name}, version="5.0") for name in installed]
    monkeypatch.setattr(doctor.metadata, "distributions", lambda: there)
    verdict = CHECKS["opencv"].run()
    assert verdict.status == (WARN if said else OK)
    assert said in verdict.found
    if said:
        start = f"pip uninstall -y {' '.join(sorted(installed))} && pip install"
        assert verdict.advice.startswith(start)


def test_cameras_are_named_and_none_or_a_closed_one_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device, run = tmp_path / "video0", CHECKS["cameras"].run
    device.touch()
    found = [Camera(0, str(device), "Webcam"), Camera(2, str(tmp_path / "gone"), "Capture")]
    monkeypatch.setattr("livepose.sources.camera.list_cameras", lambda: found)
    assert run() == Verdict(OK, "0: Webcam, 2: Capture")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert run()[:2] == (WARN, f"no permission to read {device}")
    assert run().advice.startswith("sudo usermod -aG video")
    found.clear()
    assert run().found == "none found"


@pytest.mark.parametrize("name", ["pose weights", "detector weights"])
def test_weights_that_are_damaged_or_missing_are_a_failure(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("livepose.weights.arrays.verify", lambda path: False)
        verdict = CHECKS[name].run()
    assert verdict.status == FAIL and "is damaged: its hash is wrong" in verdict.found
    assert verdict.advice.startswith("pip install")
    (tmp_path / "sitecustomize.py").write_text(
        "import livepose.weights.places as places; places.embedded_folders = lambda: []"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    missing = probe(name, {**environment, "LIVEPOSE_CACHE": str(tmp_path)})
    assert (missing.status, CHECKS[name].exit_code) == (FAIL, 4)
    assert missing.advice.startswith("pip install")


@pytest.mark.parametrize(
    ("free", "found"), [(20_000_000_000, "20 GB free"), (1_000_000, "only 1 MB are free")]
)
def test_a_cache_that_is_full_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, found: str
) -> None:
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    verdict = CHECKS["cache"].run()
    assert found in verdict.found
    assert verdict.status == (OK if free > 1e9 else WARN)


def test_the_advice_works_and_what_is_tried_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIVEPOSE_CACHE", "/proc/none")
    advice = CHECKS["cache"].run().advice
    assert doctor._writable(Path(advice.removeprefix("export LIVEPOSE_CACHE=")))
    assert doctor._writable(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []
