"""Wrong outputs are told before anything is loaded, and nothing is hurt."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from livepose.cli import main


@pytest.fixture
def clip(shared: Path, tmp_path: Path) -> Path:
    """A clip that is not to be hurt."""
    return Path(shutil.copy(shared / "video" / "one_frame.mp4", tmp_path / "v.mp4"))


@pytest.mark.parametrize("flag", ["--json", "--csv", "--coco-json", "--output", "--sheet"])
@pytest.mark.parametrize("way", [["--video"], []], ids=["video", "source"])
def test_no_output_is_written_over_the_input_or_an_earlier_one(
    clip: Path, flag: str, way: list[str], said: list[str]
) -> None:
    before, earlier = clip.read_bytes(), clip.with_name("old.png")
    assert main([*way, str(clip), flag, str(clip), "--overwrite"]) == 2
    assert said == [f"{flag} {clip} is the input itself; write to another file"]
    assert clip.read_bytes() == before
    if flag != "--output":
        earlier.write_text("old")
        assert main([*way, str(clip), flag, str(earlier)]) == 2
        assert "--overwrite" in said[1] and earlier.read_text() == "old"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--json", "a", "--coco-json", "./a"], 2, "--coco-json and --json both write a"),
        (["--sheet", "s.xyz"], 2, "s.xyz: expected an image"),
        (["--json", "/nowhere/o.jsonl"], 1, "the folder /nowhere does not exist"),
        (["--output", "o.avi"], 2, "o.avi: cannot write .avi"),
        (["--frames", "5"], 2, "--frames: only with --benchmark"),
        (["--image", "a.jpg"], 2, "sources of one kind"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    words: list[str],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "livepose.cli.play", None)
    assert main(["--source", str(clip), *words]) == code
    assert told in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize(
    ("modules", "light"),
    [
        ("livepose.cli.run", "numpy numba cv2 av torch openvino"),
        ("livepose.cli.start, livepose.live.view", "numba scipy torch openvino ultralytics"),
    ],
    ids=["checks", "the window"],
)
def test_what_comes_first_loads_nothing_that_takes_seconds(modules: str, light: str) -> None:
    found = f"set({light.split()}) & set(sys.modules)"
    code = f"import sys, {modules}; found = {found}; assert not found, found"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
