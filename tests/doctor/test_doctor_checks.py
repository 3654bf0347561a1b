"""Each check of the doctor, with healthy and with broken findings."""

from pathlib import Path

import pytest

from livepose.cli import doctor_checks as checks
from livepose.cli.doctor_checks import FAIL, OK, WARN, Check
from livepose.cli.doctor_probes import Probed

TORCH = Probed({"version": "2.13.0+cpu", "cuda_build": None, "cuda": [], "mps": False})
CUDA = Probed({"version": "2.13.0", "cuda_build": "12.8", "cuda": ["NVIDIA H200"], "mps": False})
BROKEN = Probed(error="ImportError: libsomething.so.1: cannot open shared object file")


def test_the_first_failure_decides_the_exit_code() -> None:
    fine, hint = Check("a", OK, ""), Check("b", WARN, "", exit_code=5)
    weights, device = Check("c", FAIL, "", exit_code=4), Check("d", FAIL, "", exit_code=5)
    assert checks.exit_code([]) == 0
    assert checks.exit_code([fine, hint]) == 0
    assert checks.exit_code([fine, weights, device]) == 4
    assert checks.exit_code([hint, device, weights]) == 5
    assert checks.exit_code([Check("e", FAIL, "")]) == 1


def test_a_processor_is_named_with_what_makes_it_quick() -> None:
    flags = {"fpu", "avx2", "avx512f", "avx512_vnni", "avx512_bf16"}
    check = checks.check_processor("AMD EPYC", 2, flags)
    assert check == Check("processor", OK, "AMD EPYC, 2 cores, AVX2, AVX-512, VNNI, bf16")
    assert "1 core," not in checks.check_processor("Old", 1, {"fpu"}).found.split(";")[1]
    assert checks.check_processor("Apple M3", 8, set()).status == OK
    assert checks.check_processor("Graviton", 4, {"asimd", "asimddp"}).status == OK


def test_a_processor_without_avx2_is_a_warning() -> None:
    check = checks.check_processor("Old", 1, {"fpu", "sse2"})
    assert check.status == WARN
    assert "1 core" in check.found
    assert "AVX2" in check.mend


def test_without_a_device_asked_for_the_processor_is_enough() -> None:
    assert checks.check_device("auto", TORCH, nvidia_present=False) == Check("device", OK, "cpu")
    assert checks.check_device("cpu", BROKEN, nvidia_present=False).status == OK


def test_a_gpu_that_torch_sees_is_named() -> None:
    for asked in ("auto", "cuda", "cuda:0"):
        check = checks.check_device(asked, CUDA, nvidia_present=True)
        assert (check.status, check.found) == (OK, "cpu, cuda:0 NVIDIA H200")


@pytest.mark.parametrize(
    ("asked", "probed", "nvidia", "mend"),
    [
        ("cuda", TORCH, True, "pip install --force-reinstall torch"),
        ("cuda", TORCH, False, "--device cpu"),
        ("cuda:1", CUDA, True, "driver"),
        ("mps", TORCH, False, "--device cpu"),
    ],
)
def test_a_device_asked_for_and_absent_is_a_failure_with_the_code_of_devices(
    asked: str, probed: Probed, nvidia: bool, mend: str
) -> None:
    check = checks.check_device(asked, probed, nvidia_present=nvidia)
    assert (check.status, check.exit_code) == (FAIL, 5)
    assert check.found.startswith(f"{asked} is not there, only cpu")
    assert mend in check.mend


def test_a_gpu_that_torch_cannot_use_is_a_warning() -> None:
    check = checks.check_device("auto", TORCH, nvidia_present=True)
    assert check.status == WARN
    assert "CUDA build" in check.mend


def test_torch_is_needed() -> None:
    assert checks.check_torch(TORCH, {"torch": "2.13"}).status == OK
    assert checks.check_torch(BROKEN, {}).status == WARN
    check = checks.check_torch(BROKEN, {"torch": "2.13"})
    assert (check.status, check.exit_code, check.found) == (FAIL, 5, BROKEN.error)
    assert check.mend.startswith("pip install")


def test_without_openvino_livepose_is_slower_but_usable() -> None:
    good = Probed({"version": "2026.4.1", "capabilities": ["FP32", "INT8", "BIN"]})
    check = checks.check_openvino(good)
    assert (check.status, check.found) == (OK, "2026.4.1, a model runs, INT8")
    assert checks.check_openvino(BROKEN).status == WARN


def test_one_opencv_with_windows_is_fine() -> None:
    check = checks.check_opencv(Probed({"version": "5"}), {"opencv-python": "5.0", "numpy": "2"})
    assert check == Check("opencv", OK, "opencv-python 5.0")
    assert checks.check_opencv(Probed({"version": "5"}), {}).status == OK  # a distribution's own


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ({"opencv-python": "5.0", "opencv-python-headless": "4.9"}, "several at once"),
        ({"opencv-python": "5.0", "opencv-contrib-python": "5.0"}, "several at once"),
        ({"opencv-python-headless": "5.0"}, "no windows"),
    ],
)
def test_other_flavours_of_opencv_are_replaced_by_the_right_one(
    installed: dict[str, str], said: str
) -> None:
    check = checks.check_opencv(Probed({"version": "5"}), installed)
    assert check.status == WARN
    assert said in check.found
    assert check.mend.startswith(f"pip uninstall -y {' '.join(sorted(installed))} && ")
    assert check.mend.endswith("pip install --force-reinstall opencv-python")


def test_an_opencv_that_does_not_load_is_a_failure() -> None:
    check = checks.check_opencv(BROKEN, {"opencv-python": "5.0"})
    assert (check.status, check.exit_code) == (FAIL, 1)


def test_without_a_window_livepose_is_usable() -> None:
    assert checks.check_window(Probed({"possible": True, "reason": ""})).status == OK
    check = checks.check_window(Probed({"possible": False, "reason": "there is no display"}))
    assert (check.status, check.found) == (WARN, "none: there is no display")
    aborted = checks.check_window(Probed(error="died of SIGABRT: could not load xcb"))
    assert aborted.status == WARN
    assert "SIGABRT" in aborted.found
    assert "apt-get" in aborted.mend


def test_numba_has_to_compile_with_this_numpy() -> None:
    good = Probed({"version": "0.68", "numpy": "2.4", "cache": "/there"})
    check = checks.check_numba(good, writable=True)
    assert check.status == OK
    assert check.found.startswith("0.68 with NumPy 2.4")
    old = Probed(error="ImportError: Numba needs NumPy 2.0 or less. Got NumPy 2.4.")
    check = checks.check_numba(old, writable=False)
    assert (check.status, check.found) == (FAIL, old.error)
    assert check.mend == "pip install --upgrade numba numpy"


def test_a_numba_cache_that_cannot_be_written_is_a_warning() -> None:
    good = Probed({"version": "0.68", "numpy": "2.4", "cache": "/there"})
    check = checks.check_numba(good, writable=False)
    assert check.status == WARN
    assert "/there is not writable" in check.found
    assert check.mend.startswith("export NUMBA_CACHE_DIR=")
    nowhere = Probed({**good.facts, "cache": None})
    assert "no cache is writable" in checks.check_numba(nowhere, writable=False).found


def test_the_advice_works_where_no_home_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", homeless)
    mend = checks.check_cache(Path("/proc/none"), None).mend
    folder = Path(mend.removeprefix("export LIVEPOSE_CACHE="))
    assert checks.writable(folder)


def homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize(
    ("installed", "wants", "status", "mend"),
    [
        ({"torch": "2.13.0"}, None, OK, ""),
        ({"torch": "2.13.0", "torchvision": "0.28.0"}, "2.13.0", OK, ""),
        ({"torch": "2.13.0+cpu", "torchvision": "0.28.0+cpu"}, "2.13.0", OK, ""),
        ({"torch": "2.12.1", "torchvision": "0.28.0"}, "2.13.0", WARN, "torchvision==0.27.*"),
        ({"torch": "2.13.0+cpu", "torchvision": "0.28.0"}, "2.13.0", WARN, "==0.28.0+cpu"),
    ],
)
def test_a_torchvision_of_another_torch_is_only_a_warning(
    installed: dict[str, str], wants: str | None, status: str, mend: str
) -> None:
    check = checks.check_torchvision(installed, wants)
    assert check.status == status
    assert mend in check.mend


def test_the_detectors_library_is_needed() -> None:
    assert checks.check_ultralytics({"ultralytics": "8.4"}) == Check("ultralytics", OK, "8.4")
    check = checks.check_ultralytics({})
    assert (check.status, check.mend) == (WARN, "pip install 'livepose[torch]'")


def test_videos_need_h264() -> None:
    assert checks.check_pyav(Probed({"version": "18.1", "bytes": 900})).status == OK
    check = checks.check_pyav(Probed(error="av.error.UnknownCodecError: libx264"))
    assert (check.status, check.exit_code) == (FAIL, 1)
    assert "without libx264" in check.found
    assert checks.check_pyav(BROKEN).found == BROKEN.error


def test_cameras_are_named_and_none_is_no_failure() -> None:
    two = Probed({"names": ["0: Webcam", "2: Capture"], "closed": []})
    assert checks.check_cameras(two) == Check("cameras", OK, "0: Webcam, 2: Capture")
    assert checks.check_cameras(Probed({"names": [], "closed": []})).status == WARN
    assert checks.check_cameras(BROKEN).status == WARN


def test_a_camera_without_permission_comes_with_the_command_that_gives_it() -> None:
    closed = Probed({"names": ["0: Webcam"], "closed": ["/dev/video0"]})
    check = checks.check_cameras(closed)
    assert check.status == WARN
    assert "/dev/video0" in check.found
    assert check.mend.startswith("sudo usermod -aG video")


@pytest.mark.parametrize(
    ("probed", "said"),
    [
        (Probed({"path": None}), "missing"),
        (Probed({"path": "/w.safetensors", "what": "w32", "verified": False}), "damaged"),
        (Probed(error="livepose.errors.WeightsError: the embedded weights are gone"), "the embed"),
    ],
)
def test_weights_that_are_missing_or_damaged_are_a_failure_with_the_code_of_weights(
    probed: Probed, said: str
) -> None:
    check = checks.check_weights("pose weights", probed)
    assert (check.status, check.exit_code) == (FAIL, 4)
    assert said in check.found
    assert "WeightsError" not in check.found
    assert check.mend.startswith("pip install")


def test_weights_that_are_there_are_named() -> None:
    good = Probed({"path": "/w.safetensors", "what": "hrnet_w32 128x96", "verified": True})
    check = checks.check_weights("pose weights", good)
    assert check == Check("pose weights", OK, "hrnet_w32 128x96, verified", exit_code=1)


def test_a_cache_that_cannot_be_written_or_is_full_is_a_warning() -> None:
    folder = Path("/some/cache")
    assert checks.check_cache(folder, 20_000_000_000).status == OK
    assert checks.check_cache(folder, 1_000_000).status == WARN
    check = checks.check_cache(folder, None)
    assert check.status == WARN
    assert check.mend.startswith("export LIVEPOSE_CACHE=")


def test_whether_a_folder_can_be_written_is_tried_and_leaves_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "not" / "yet"
    assert checks.writable(missing)
    assert checks.free_bytes(missing)
    assert list(tmp_path.iterdir()) == []
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert not checks.writable(in_the_way / "below")
    assert checks.free_bytes(in_the_way) is None


def test_every_line_can_be_written_as_json_without_its_code() -> None:
    line = Check("a", OK, "b", "c", exit_code=4).to_dict()
    assert line == {"name": "a", "status": "ok", "found": "b", "mend": "c"}
