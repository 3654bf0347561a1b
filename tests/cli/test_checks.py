"""What cannot work is told before anything is loaded, and nothing is hurt."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from livepose.cli import main

USAGE, LOST = 2, 3


@pytest.fixture
def clip(shared: Path, tmp_path: Path) -> Path:
    """A clip that is not to be hurt."""
    return Path(shutil.copy(shared / "video" / "one_frame.mp4", tmp_path / "v.mp4"))


@pytest.mark.parametrize("flag", ["--json", "--csv", "--coco-json", "--output", "--sheet"])
def test_no_output_is_written_over_the_input_or_an_earlier_one(
    clip: Path, flag: str, said: list[str]
) -> None:
    before, earlier = clip.read_bytes(), clip.with_name("old.png")
    assert main([str(clip), flag, str(clip), "--overwrite"]) == USAGE
    assert said == [f"{flag} {clip} is the input itself; write to another file"]
    assert clip.read_bytes() == before
    earlier.write_text("old")
    assert main([str(clip), flag, str(earlier)]) == USAGE
    assert "--overwrite" in said[1] and earlier.read_text() == "old"


@pytest.mark.parametrize("name", ["o.angles.csv", "o_person3.mot"])
def test_no_file_that_belongs_to_an_output_is_replaced(
    clip: Path, monkeypatch: pytest.MonkeyPatch, said: list[str], name: str
) -> None:
    monkeypatch.setitem(sys.modules, "livepose.cli.play", None)  # nothing is loaded
    clip.with_name(name).write_text("old")
    places = [str(clip.with_name(one)) for one in ("o.csv", "o.mot")]
    assert main([str(clip), "--csv", places[0], "--angles", "--mot", places[1]]) == USAGE
    assert f"{name} is there already" in said[-1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("", USAGE, "nothing to look at"),
        ("--video SHARED/video/garbage.mp4", LOST, "garbage.mp4"),
        ("--video SHARED/video/audio_only.mp4", LOST, "only audio"),
        ("--video /nowhere/in.mp4", LOST, "/nowhere/in.mp4"),
        ("--video .", LOST, "folder"),
        ("--image /nowhere/*.jpg", LOST, "/nowhere/*.jpg"),
        ("--camera 97", LOST, "camera 97"),
        ("v.mp4 --image a.jpg", USAGE, "sources of one kind"),
        ("v.mp4 --json a --coco-json ./a", USAGE, "--coco-json and --json both write a"),
        ("v.mp4 --sheet s.xyz", USAGE, "s.xyz: expected an image"),
        ("v.mp4 --json /nowhere/o.jsonl", 1, "the folder /nowhere does not exist"),
        ("v.mp4 --output o.avi", USAGE, "o.avi: cannot write .avi"),
        ("v.mp4 --json - --csv -", USAGE, "--json, --csv: stdout (-) takes either"),
        ("v.mp4 --sheet -", USAGE, "--sheet: stdout (-) takes either"),
        ("v.mp4 --csv - --angles", USAGE, "a CSV of their own"),
        ("v.mp4 v.mp4 --csv -", USAGE, "cannot share stdout"),
        ("v.mp4 --health 70000", USAGE, "cannot listen on 127.0.0.1:70000"),
        ("v.mp4 --frames 5", USAGE, "--frames: only with --benchmark"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(
    clip: Path,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    words: str,
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(clip.parent)
    monkeypatch.setitem(sys.modules, "livepose.cli.play", None)
    assert main(words.replace("SHARED", str(shared)).split()) == code
    assert told in said[-1] and len(said) <= 2
    assert [path.name for path in clip.parent.iterdir()] == ["v.mp4"]


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
