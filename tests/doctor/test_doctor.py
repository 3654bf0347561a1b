"""The doctor as a command: verdicts become a table, JSON and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from window.xvfb import running_display

from livepose import machine
from livepose.cli import doctor, main
from livepose.cli.doctor import probe
from livepose.cli.doctor_checks import FAIL, OK, ROWS, WARN, Machine, Verdict

TORCH = {"cuda_build": None, "cuda": [], "mps": False}


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    """What is said of this machine, healthy at first; tests break single rows."""
    told = {name: Verdict(OK, "fine") for name, row in ROWS.items() if row.broken}
    told["torch"] = Verdict(OK, "2.13.0, a convolution runs", "", TORCH)
    monkeypatch.setattr(doctor, "probe", lambda name, machine: told[name])
    monkeypatch.setattr("livepose.cli.doctor_checks.answer_of", lambda *words: "")
    return told


def test_a_healthy_machine_is_usable(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "livepose is usable here"
    names = [line[6:24].strip() for line in lines if line.startswith(("ok", "warn"))]
    assert names == list(ROWS)
    assert len(names) == 14 and names[:3] == ["processor", "torch", "device"]


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
    verdicts[broken] = ROWS[broken].failed("it is broken " * 20, Machine(installed={}))
    assert main(["doctor"]) == code
    lines = capsys.readouterr().out.splitlines()
    mend = next(line for line in lines if line.startswith(f"{broken}: "))
    assert "install" in mend or "livepose cameras" in mend
    assert lines[-1] == (f"not usable yet: {broken}" if code else "livepose is usable here")


def test_the_first_failure_decides_the_exit_code(verdicts: dict[str, Verdict]) -> None:
    verdicts["pose weights"] = verdicts["pyav"] = Verdict(FAIL, "broken")
    assert main(["doctor"]) == 1
    verdicts["torch"] = Verdict(FAIL, "broken")
    assert main(["doctor"]) == 5


def test_json_says_the_same_in_a_form_for_scripts(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts["pose weights"] = Verdict(FAIL, "/p is damaged", "install it")
    assert main(["doctor", "--json"]) == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["usable"], said["exit_code"]) == (False, 4)
    line = next(check for check in said["checks"] if check["name"] == "pose weights")
    assert line == {
        "name": "pose weights",
        "status": "fail",
        "found": "/p is damaged",
        "mend": "install it",
    }


def test_a_light_install_is_usable_and_not_asked_for_what_it_lacks(
    verdicts: dict[str, Verdict],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del verdicts["torch"]
    monkeypatch.setattr("livepose.cli.doctor_checks.metadata.distributions", list)
    assert main(["doctor", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    absent = {one["name"]: one for one in checks if one["found"].startswith("not installed: ")}
    assert set(absent) == {"torch", "ultralytics"}
    assert {one["mend"] for one in absent.values()} == {"pip install 'livepose[torch]'"}
    assert {one["status"] for one in absent.values()} == {WARN}


def test_a_device_asked_for_and_absent_ends_with_five(
    verdicts: dict[str, Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--device", "cuda"]) == 5
    assert "cuda is not there, only cpu" in capsys.readouterr().out


def test_an_unknown_device_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["doctor", "--device", "tpu"])
    assert "expected auto, cpu, cuda" in capsys.readouterr().err


def test_the_processor_is_read_from_the_kernels_list(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listing = tmp_path / "cpuinfo"
    monkeypatch.setattr(machine, "CPUINFO", listing)
    listing.write_text("model name\t: Some CPU @ 3 GHz\nflags\t\t: fpu avx2 avx512f\n")
    assert machine.processor_name() == "Some CPU @ 3 GHz"
    assert machine.processor_flags() == {"fpu", "avx2", "avx512f"}
    listing.write_text("Features\t: fp asimd asimddp\n")
    assert machine.processor_flags() == {"fp", "asimd", "asimddp"}
    listing.unlink()
    assert machine.processor_flags() == set()
    assert machine.processor_name()


@pytest.mark.parametrize(("cores", "words"), [(1, "A CPU, 1 core"), (2, "A CPU, 2 cores")])
def test_one_core_is_one_core(monkeypatch: pytest.MonkeyPatch, cores: int, words: str) -> None:
    monkeypatch.setattr(machine, "processor_name", lambda: "A CPU")
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    assert machine.processor_and_cores() == words


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
    assert (verdict.status, verdict.facts) == (status, None)
    assert verdict.found.startswith(found)
    assert "install" in verdict.mend


def test_an_unreachable_display_is_a_reason_and_no_crash() -> None:
    verdict = probe("window", {**os.environ, "DISPLAY": ":4321"})
    assert verdict.status in (OK, WARN)
    if sys.platform.startswith("linux"):
        assert ":4321 cannot be reached" in verdict.found


def test_on_a_display_the_doctor_really_opens_a_window(tmp_path: Path) -> None:
    with running_display(tmp_path) as display:
        assert probe("window", display.environment) == Verdict(OK, "opens")


@pytest.mark.slow
def test_the_real_doctor_says_valid_json_and_ends_with_the_code_it_says() -> None:
    command = [sys.executable, "-m", "livepose", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"]
    statuses = {check["name"]: check["status"] for check in said["checks"]}
    for name in ("processor", "torch", "device", "openvino", "numba", "opencv", "pyav"):
        assert statuses[name] == OK, said
    for check in said["checks"]:
        assert check["status"] == OK or check["mend"], check
