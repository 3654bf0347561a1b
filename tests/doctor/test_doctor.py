"""The doctor: each check on healthy and on broken machines, and what is made of its findings."""

import json
import os
import subprocess
import sys

import pytest
import torch
from window.xvfb import running_display

from livepose.cli import doctor, main
from livepose.cli.doctor import CHECKS, FAIL, OK, WARN, Verdict, probe
from livepose.errors import WeightsError
from livepose.sources.camera import Camera


@pytest.mark.parametrize(
    ("broken", "code"),
    [("", 0), ("weights", 4), ("torch", 5), ("torch weights", 5), ("numba", 1), ("window", 0)],
)
def test_what_is_broken_has_its_exit_code_and_its_mending_command_on_one_line(
    monkeypatch, capsys, broken, code
):
    told = {name: Verdict(OK, "fine") for name in CHECKS}
    for name in broken.split():
        status = FAIL if CHECKS[name].exit_code else WARN
        told[name] = Verdict(status, "it is broken " * 20, CHECKS[name].advice)
    monkeypatch.setattr(doctor, "probe", told.__getitem__)
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    for name in broken.split():
        assert f"{name}: {told[name].advice}" in lines and "install" in told[name].advice
    assert [line.split()[1] for line in lines[: len(CHECKS)]] == list(CHECKS)
    words = ", ".join(broken.split())
    assert lines[-1] == (f"not usable yet: {words}" if code else "livepose is usable here")
    assert main(["doctor", "--json"]) == code
    said = json.loads(capsys.readouterr().out)
    assert (said["usable"], said["exit_code"]) == (code == 0, code)
    assert said["checks"] == [{"name": name, **one._asdict()} for name, one in told.items()]


def test_a_light_install_is_not_asked_for_what_it_lacks(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found, advice = CHECKS["torch"].run()
    assert found.startswith("not installed: no GPUs")
    assert advice == "pip install 'livepose[torch]'"


def test_a_gpu_that_torch_does_not_see_is_said_with_what_mends_it(monkeypatch):
    look, cuda, driver = CHECKS["torch"].run, torch.cuda, [""]
    monkeypatch.setattr("shutil.which", lambda name: driver[0] or None)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(cuda, "device_count", lambda: 0)
    assert look() == (f"{torch.__version__}, computes; devices: cpu", "")
    driver[0] = "/usr/bin/nvidia-smi"
    found, advice = look()
    assert "torch sees no GPU" in found and "--force-reinstall torch" in advice
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert "update the NVIDIA driver" in look()[1]
    monkeypatch.setattr(cuda, "device_count", lambda: 1)
    monkeypatch.setattr(cuda, "get_device_name", lambda number: "NVIDIA H200")
    found, advice = look()
    assert found.endswith("cpu, cuda:0 NVIDIA H200") and not advice


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os; os.abort()", "died of SIGABRT"),
        ("import time; time.sleep(60)", "did not answer within 2 s"),
    ],
)
def test_a_library_that_is_broken_is_a_finding_and_does_not_take_the_doctor_along(
    tmp_path, code, found
):
    (tmp_path / "av.py").write_text(code)
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    limit_s = 2.0 if "answer" in found else 60.0
    verdict = probe("pyav", limit_s, env={**os.environ, "PYTHONPATH": path})
    assert verdict == Verdict(FAIL, verdict.found, CHECKS["pyav"].advice)
    assert verdict.found.startswith(found)


def test_the_doctor_opens_a_window_or_says_why_it_cannot(tmp_path):
    verdict = probe("window", env={**os.environ, "DISPLAY": ":4321"})
    assert verdict.status == WARN and ":4321 cannot be reached" in verdict.found
    with running_display(tmp_path) as display:
        assert probe("window", env=display.environment)[:2] == (OK, "opens")


@pytest.mark.slow
def test_the_real_doctor_says_valid_json_and_ends_with_the_code_it_says():
    command = [sys.executable, "-m", "livepose", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    said = json.loads(done.stdout)
    assert (done.stderr, done.returncode) == ("", said["exit_code"])
    for check in said["checks"]:
        assert check["status"] == OK or check["advice"], check
        assert check["status"] == OK or check["name"] in ("window", "cameras"), said


def test_cameras_are_named_and_none_or_a_closed_one_is_no_failure(monkeypatch, tmp_path):
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


def test_weights_that_are_damaged_are_a_failure(monkeypatch):
    monkeypatch.setattr("livepose.weights.arrays.arrays_sha256", lambda arrays: "another")
    with pytest.raises(WeightsError, match="it is damaged"):
        CHECKS["weights"].run()
    assert CHECKS["weights"].exit_code == 4
