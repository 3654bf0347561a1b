"""Wrong outputs are told before anything is loaded, and nothing is hurt."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from livepose.cli import main
from livepose.cli.run import is_video

FLAGS = ["--json", "--csv", "--coco-json", "--output", "--sheet"]


@pytest.fixture
def clip(shared: Path, tmp_path: Path) -> Path:
    """A clip that is not to be hurt."""
    return Path(shutil.copy(shared / "video" / "one_frame.mp4", tmp_path / "v.mp4"))


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("way", ["--video", "--source", None])
def test_no_output_is_written_over_the_input(
    clip: Path, flag: str, way: str | None, overwrite: list[str], said: list[str]
) -> None:
    before = clip.read_bytes()
    source = [str(clip)] if way is None else [way, str(clip)]
    assert main([*source, flag, str(clip), *overwrite]) == 2
    assert said == [f"{flag} {clip} is the input itself; write to another file"]
    assert clip.read_bytes() == before


def test_a_photograph_is_not_written_over_by_its_sheet(shared: Path, tmp_path: Path) -> None:
    photo = Path(shutil.copy(shared / "images" / "skier.jpg", tmp_path / "p.jpg"))
    before = photo.read_bytes()
    assert main(["--image", str(photo), "--sheet", str(photo), "--overwrite"]) == 2
    assert photo.read_bytes() == before


def test_a_picture_of_a_folder_is_an_input_too(shared: Path, tmp_path: Path) -> None:
    photo = Path(shutil.copy(shared / "images" / "skier.jpg", tmp_path / "p.jpg"))
    for source in (str(tmp_path), str(tmp_path / "*.jpg")):
        assert main(["--image", source, "--sheet", str(photo), "--overwrite"]) == 2


@pytest.mark.parametrize("way", ["--video", "--source"])
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--json", "a", "--csv", "a"], 2, "--csv and --json both write a"),
        (["--json", "a", "--coco-json", "./a"], 2, "--coco-json and --json both write a"),
        (["--sheet", "s.xyz"], 2, "s.xyz: expected a picture"),
        (["--sheet", "/nowhere/s.png"], 1, "the folder /nowhere does not exist"),
        (["--json", "/nowhere/o.jsonl"], 1, "the folder /nowhere does not exist"),
        (["--output", "o.avi"], 2, "o.avi: cannot write .avi"),
        (["--output", "o.png"], 2, "o.png: cannot write .png"),
        (["--output", "o"], 2, "o: cannot write a video without suffix"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_loaded(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    way: str,
    words: list[str],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "livepose.cli.play", None)
    assert main([way, str(clip), *words]) == code
    assert told in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_what_is_a_video_and_what_pictures_is_known_before_it_is_opened(
    clip: Path, shared: Path, tmp_path: Path
) -> None:
    photo = shared / "images" / "skier.jpg"
    clips = [str(clip), clip.as_uri(), "0", "rtsp://127.0.0.1/a.jpg", "browser"]
    moving = str(shared / "cases" / "animated_webp" / "moving.webp")
    pictures = [str(photo), photo.as_uri(), str(tmp_path), str(photo.with_name("*.jpg"))]
    assert all(is_video("source", one) for one in [*clips, moving])
    assert not any(is_video("source", one) for one in pictures)
    assert is_video("camera", "0") and not is_video("image", [str(clip)])


def test_checks_load_no_library() -> None:
    code = (
        "import sys, livepose.cli.run;"
        "heavy = {'numpy', 'numba', 'cv2', 'av', 'torch', 'openvino'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
