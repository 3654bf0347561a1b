"""The doctor: each check on healthy and on broken machines, and what is made of its findings."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from window.xvfb import running_display

from livepose.cli import doctor, main
from livepose.cli.doctor import CHECKS, FAIL, OK, WARN, Verdict, probe
from livepose.errors import WeightsError
from livepose.sources.camera import Camera


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    """What is said of this machine, healthy at first; tests break single checks."""
    told = {name: Verdict(OK, "fine") for name in CHECKS}
    monkeypatch.setattr(doctor, "probe", told.__getitem__)
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
    [("weights", 4), ("torch", 5), ("numba", 1), ("openvino", 0), ("window", 0)],
)
def test_what_is_broken_has_its_exit_code_and_its_mending_command_on_one_line(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str], broken: str, code: int
) -> None:
    advice = CHECKS[broken].advice
    verdicts[broken] = Verdict(FAIL if code else WARN, "it is broken " * 20, advice)
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert f"{broken}: {advice}" in lines and "install" in advice
    assert lines[-1] == (f"not usable yet: {broken}" if code else "livepose is usable here")


def test_json_says_the_same_and_the_first_failure_decides_the_exit_code(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts["weights"] = broken = Verdict(FAIL, "/p is damaged", "install it")
    assert main(["doctor", "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["usable"], said["exit_code"]) == (False, 4)
    expected = {"status": "fail", "found": "/p is damaged", "advice": "install it"}
    assert {"name": "weights", **expected} in said["checks"]
    verdicts["torch"] = broken
    assert main(["doctor"]) == 5


def test_a_light_install_is_not_asked_for_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found, advice = CHECKS["torch"].run()
    assert found.startswith("not installed: no GPUs")
    assert advice == "pip install 'livepose[torch]'"


def test_a_gpu_that_torch_does_not_see_is_said_with_what_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look, cuda, answers = CHECKS["torch"].run, torch.cuda, [""]
    monkeypatch.setattr(doctor, "answer_of", lambda *words: answers[0])
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(cuda, "device_count", lambda: 0)
    assert look() == (f"{torch.__version__}, computes; devices: cpu", "")
    answers[0] = "GPU 0: H200"
    found, advice = look()
    assert "an NVIDIA GPU is present" in found and "--force-reinstall torch" in advice
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert "update the NVIDIA driver" in look()[1]
    monkeypatch.setattr(cuda, "device_count", lambda: 1)
    monkeypatch.setattr(cuda, "get_device_name", lambda number: "NVIDIA H200")
    found, advice = look()
    assert found.endswith("cpu, cuda:0 NVIDIA H200") and not advice


@pytest.mark.parametrize(
    ("name", "module", "code", "status", "found"),
    [
        ("opencv", "cv2", "import os; os.abort()", FAIL, "died of SIGABRT"),
        ("torch", "torch", "import time; time.sleep(60)", FAIL, "did not answer within 2 s"),
    ],
)
def test_a_library_that_is_broken_is_a_finding_and_does_not_take_the_doctor_along(
    tmp_path: Path, name: str, module: str, code: str, status: str, found: str
) -> None:
    if "SIG" in found and sys.platform == "win32":
        pytest.skip("an abort has no signal on Windows")
    (tmp_path / f"{module}.py").write_text(code)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    verdict = probe(name, 2.0 if name == "torch" else 60.0, env=environment)
    assert verdict.status == status
    assert verdict.found.startswith(found)
    assert "install" in verdict.advice


def test_an_unreachable_display_is_a_reason_and_no_crash() -> None:
    verdict = probe("window", env={**os.environ, "DISPLAY": ":4321"})
    assert verdict.status in (OK, WARN)
    if sys.platform.startswith("linux"):
        assert ":4321 cannot be reached" in verdict.found


def test_on_a_display_the_doctor_really_opens_a_window(tmp_path: Path) -> None:
    with running_display(tmp_path) as display:
        assert probe("window", env=display.environment)[:2] == (OK, "opens")


@pytest.mark.slow
def test_the_real_doctor_says_valid_json_and_ends_with_the_code_it_says() -> None:
    command = [sys.executable, "-m", "livepose", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"]
    statuses = {check["name"]: check["status"] for check in said["checks"]}
    for name in CHECKS.keys() - {"window", "cameras"}:
        assert statuses[name] == OK, said
    for check in said["checks"]:
        assert check["status"] == OK or check["advice"], check


def test_cameras_are_named_and_none_or_a_closed_one_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    device, run = tmp_path / "video0", CHECKS["cameras"].run
    device.touch()
    found = [Camera(0, str(device), "Webcam"), Camera(2, str(tmp_path / "gone"), "Capture")]
    monkeypatch.setattr("livepose.sources.camera.list_cameras", lambda: found)
    assert run() == ("0: Webcam, 2: Capture", "")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    said, advice = run()
    assert said == f"no permission to read {device}"
    assert advice.startswith("sudo usermod -aG video")
    found.clear()
    assert run()[0] == "none found"


def test_weights_that_are_damaged_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livepose.weights.arrays.arrays_sha256", lambda arrays: "another")
    with pytest.raises(WeightsError, match="it is damaged"):
        CHECKS["weights"].run()
    assert CHECKS["weights"].exit_code == 4
