"""The doctor as a command, and its probes against really broken surroundings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from window.xvfb import running_display

from livepose import machine
from livepose.cli import doctor, doctor_probes, parser_of
from livepose.cli.doctor_checks import FAIL, OK, WARN, Check
from livepose.cli.doctor_probes import PROBES, Probed, probe

HEALTHY: dict[str, dict[str, Any]] = {
    "torch": {"version": "2.13.0", "cuda_build": None, "cuda": [], "mps": False},
    "openvino": {"version": "2026.4", "capabilities": ["INT8"]},
    "numba": {"version": "0.68", "numpy": "2.4", "cache": "/"},
    "opencv": {"version": "5.0"},
    "window": {"possible": True, "reason": ""},
    "pyav": {"version": "18", "bytes": 1000},
    "cameras": {"names": ["0: Webcam"], "closed": []},
    "pose weights": {"path": "/p", "what": "hrnet_w32 128x96", "verified": True},
    "detector weights": {"path": "/d", "what": "person_yolo11n", "verified": True},
}


def run(*words: str) -> int:
    return doctor.run(parser_of("doctor").parse_args(words))


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> dict[str, Probed]:
    """What the probes find, healthy at first; tests break single ones."""
    found = {name: Probed(facts) for name, facts in HEALTHY.items()}
    monkeypatch.setattr(doctor, "probe", lambda name: found[name])
    monkeypatch.setattr(doctor, "nvidia_present", lambda: False)
    return found


def test_a_healthy_machine_is_usable(
    surroundings: dict[str, Probed], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run() == 0
    out = capsys.readouterr().out
    assert "livepose is usable here" in out
    for name in ("processor", "torch", "numba", "window", "pose weights", "cameras", "cache"):
        assert name in out


@pytest.mark.parametrize(
    ("broken", "code"),
    [("pose weights", 4), ("detector weights", 4), ("torch", 5), ("numba", 1), ("pyav", 1)],
)
def test_a_failure_has_its_exit_code_and_its_mending_command_on_one_line(
    surroundings: dict[str, Probed],
    capsys: pytest.CaptureFixture[str],
    broken: str,
    code: int,
) -> None:
    surroundings[broken] = Probed(error="it is broken " * 20)
    assert run() == code
    lines = capsys.readouterr().out.splitlines()
    mend = next(line for line in lines if line.startswith(f"{broken}: "))
    assert "pip install" in mend
    assert lines[-1] == f"not usable yet: {broken}"


@pytest.mark.parametrize("broken", ["openvino", "window", "cameras"])
def test_what_livepose_can_do_without_leaves_it_usable(
    surroundings: dict[str, Probed], capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    surroundings[broken] = Probed(error="it is broken")
    assert run() == 0
    assert "warn" in capsys.readouterr().out


def test_json_says_the_same_in_a_form_for_scripts(
    surroundings: dict[str, Probed], capsys: pytest.CaptureFixture[str]
) -> None:
    surroundings["pose weights"] = Probed({"path": "/p", "what": "w32", "verified": False})
    assert run("--json") == 4
    said = json.loads(capsys.readouterr().out)
    assert (said["usable"], said["exit_code"]) == (False, 4)
    line = next(check for check in said["checks"] if check["name"] == "pose weights")
    assert line["status"] == FAIL
    assert line["mend"]
    statuses = {check["status"] for check in said["checks"]}
    assert statuses <= {OK, WARN, FAIL}


def test_a_device_asked_for_and_absent_ends_with_five(
    surroundings: dict[str, Probed], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--device", "cuda") == 5
    assert "cuda is not there, only cpu" in capsys.readouterr().out


def test_an_unknown_device_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("--device", "tpu")
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


def test_what_torchvision_wants_is_read_without_loading_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for line in ("torch==2.13.0", "torch (==2.13.0)"):
        monkeypatch.setattr(doctor.metadata, "requires", lambda _, line=line: ["numpy", line])
        assert doctor.torch_wanted_by_torchvision() == "2.13.0"
    monkeypatch.setattr(doctor.metadata, "requires", lambda _: None)
    assert doctor.torch_wanted_by_torchvision() is None

    def missing(_: str) -> list[str]:
        raise doctor.metadata.PackageNotFoundError

    monkeypatch.setattr(doctor.metadata, "requires", missing)
    assert doctor.torch_wanted_by_torchvision() is None


def test_installed_packages_are_listed_with_their_versions() -> None:
    assert doctor.installed_packages()["numpy"]


@pytest.fixture
def broken_library(tmp_path: Path) -> dict[str, str]:
    """An environment in which some libraries are not what they should be."""
    (tmp_path / "openvino.py").write_text("raise ImportError('libopenvino.so: no such file')\n")
    (tmp_path / "cv2.py").write_text("import os\nos.abort()\n")
    (tmp_path / "torch.py").write_text("import time\ntime.sleep(60)\n")
    (tmp_path / "numba.py").write_text("raise SystemExit(7)\n")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_a_library_that_does_not_load_is_a_finding(broken_library: dict[str, str]) -> None:
    found = probe("openvino", broken_library)
    assert found == Probed(error="ImportError: libopenvino.so: no such file")


@pytest.mark.skipif(sys.platform == "win32", reason="an abort has no signal on Windows")
def test_a_library_that_aborts_does_not_take_the_doctor_along(
    broken_library: dict[str, str],
) -> None:
    assert probe("opencv", broken_library).error.startswith("died of SIGABRT")


def test_a_library_that_hangs_is_given_up(broken_library: dict[str, str]) -> None:
    assert probe("torch", broken_library, timeout_s=3.0).error == "did not answer within 3 s"


def test_a_library_that_ends_silently_is_a_finding_too(broken_library: dict[str, str]) -> None:
    assert probe("numba", broken_library).error == "ended with exit code 7"


def test_a_compiler_without_a_folder_for_its_cache_is_noticed(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    found = probe("numba", environment)
    assert not found.error
    assert found.facts["cache"].startswith(str(tmp_path / "kept"))


def test_an_unreachable_display_is_a_reason_and_no_crash() -> None:
    found = probe("window", {**os.environ, "DISPLAY": ":4321"})
    assert not found.error
    if sys.platform.startswith("linux"):
        assert found.facts["possible"] is False
        assert ":4321 cannot be reached" in found.facts["reason"]


def test_on_a_display_the_doctor_really_opens_a_window(tmp_path: Path) -> None:
    with running_display(tmp_path) as display:
        assert probe("window", display.environment).facts == {"possible": True, "reason": ""}


@pytest.mark.parametrize("name", ["opencv", "pyav", "cameras", "openvino"])
def test_the_probes_go_well_here(name: str) -> None:
    """In this process, so that what they do is seen by coverage and by warnings."""
    assert json.loads(json.dumps(PROBES[name]()))


def test_torch_and_numba_go_well_here() -> None:
    assert PROBES["torch"]()["version"]
    assert PROBES["numba"]()["cache"]


def test_the_detector_weights_are_found_missing_or_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from livepose.weights import places

    monkeypatch.setattr(places, "embedded_folders", lambda: [tmp_path])
    assert doctor_probes.detector_weights() == {"path": None}


@pytest.mark.slow
def test_the_real_doctor_says_valid_json_and_ends_with_the_code_it_says() -> None:
    command = [sys.executable, "-c", "import sys, livepose.cli as c; sys.exit(c.main())"]
    done = subprocess.run(
        [*command, "doctor", "--json"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stderr == ""
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"]
    statuses = {check["name"]: check["status"] for check in said["checks"]}
    for name in ("processor", "torch", "device", "openvino", "numba", "opencv", "pyav"):
        assert statuses[name] == OK, said
    for check in said["checks"]:
        assert check["status"] == OK or check["mend"], check


def test_checks_are_in_the_order_of_the_table(surroundings: dict[str, Probed]) -> None:
    names = [check.name for check in doctor.examine("auto")]
    assert names[:3] == ["processor", "torch", "device"]
    assert len(names) == len(set(names)) == 14
    assert all(isinstance(check, Check) for check in doctor.examine("auto"))
