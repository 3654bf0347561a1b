"""What a user installs: wheel and sdist build, carry the weights, and run in a bare environment."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built as a release would be."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_carry_the_embedded_weights(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    assert "livepose/_weights/pose_hrnet_w32_128x96.safetensors" in names
    assert "livepose/_weights/person_yolo11n.safetensors" in names
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        members = [member.split("/", 1)[1] for member in sdist.getnames() if "/" in member]
    assert "weights/pose_hrnet_w32_128x96.safetensors" in members


@pytest.mark.slow
def test_the_wheel_runs_in_an_environment_of_its_own(built, tmp_path):
    """Installed without the checkout; the heavy packages are lent by this environment."""
    folder = tmp_path / "bare"
    venv.create(folder)
    python = str(folder / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(next(built.glob("*.whl")))], check=True, capture_output=True)
    lent = next(path for path in sys.path if path.endswith("site-packages"))
    site = next((folder / "lib").glob("python3*")) / "site-packages"
    # A .pth file puts the lent packages after the bare environment's own, and runs no editable
    # install of the checkout.
    (site / "lent.pth").write_text(lent + "\n")
    code = (
        "import livepose, pathlib, numpy as np;"
        "from livepose.weights import find_weights;"
        "home = pathlib.Path(livepose.__file__).parent;"
        f"assert {str(folder)!r} in str(home), home;"
        "assert home / '_weights' in find_weights('default').parents;"
        "poses = livepose.PosePipeline(detector='none').process(np.zeros((240, 320, 3), 'u1'));"
        "assert poses.keypoints_xy.shape == (1, 17, 2)"
    )
    done = subprocess.run([python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
