"""What cannot work is told before anything is loaded, and nothing is hurt."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from livepose.cli import main

USAGE, LOST = 2, 3


@pytest.fixture
def clip(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clip that is not to be hurt, in the working directory; nothing may be loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "livepose.cli.play", None)
    shutil.copy(shared / "video" / "one_frame.mp4", "v.mp4")
    return Path("v.mp4")


@pytest.mark.parametrize("flag", ["--json", "--csv", "--coco-json", "--output", "--sheet"])
def test_no_output_is_written_over_the_input(clip, flag, said):
    before = clip.read_bytes()
    assert main(["v.mp4", flag, "v.mp4", "--overwrite"]) == USAGE
    assert said == [f"{flag} v.mp4 is the input itself; write to another file"]
    assert clip.read_bytes() == before


@pytest.mark.parametrize("name", ["o.png", "o.csv", "o.angles.csv", "o_person3.mot"])
def test_no_output_is_written_over_an_earlier_one_unasked(clip, name, said):
    clip.with_name(name).write_text("old")
    words = "v.mp4 --sheet o.png --csv o.csv --angles --mot o.mot"
    assert main(words.split()) == USAGE
    assert said == [f"{name} is there already; choose another name, or add --overwrite"]
    assert clip.with_name(name).read_text() == "old"


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
        ("v.mp4 --csv a.csv --angles --json a.angles.csv", USAGE, "--json and a.angles.csv, which"),
        ("v.mp4 --sheet s.xyz", USAGE, "s.xyz: expected an image"),
        ("v.mp4 --json /nowhere/o.jsonl", 1, "the folder /nowhere does not exist"),
        ("v.mp4 --output o.avi", USAGE, "o.avi: cannot write .avi"),
        ("v.mp4 --json - --csv -", USAGE, "--json, --csv: stdout (-) takes either"),
        ("v.mp4 --sheet -", USAGE, "--sheet: stdout (-) takes either"),
        ("v.mp4 --csv - --angles", USAGE, "a CSV of their own"),
        ("v.mp4 v.mp4 --csv -", USAGE, "cannot share stdout"),
        ("v.mp4 --health 70000", USAGE, "cannot listen on 127.0.0.1:70000"),
        ("v.mp4 --frames 5", USAGE, "--frames: only with --benchmark"),
        ("v.mp4 --workers 2", USAGE, "they need --output-dir"),
        (". --no-window", USAGE, "holds videos: add --output-dir"),
        (". --output-dir out", USAGE, "say what is written"),
        (". --output-dir out --json a.jsonl", USAGE, "outputs have no value"),
        (". --output-dir out --json --rotate 1h", USAGE, "not for many files"),
        ("--output-dir out --json", USAGE, "nothing to look at"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_loaded(clip, shared, said, words, code, told):
    assert main(words.replace("SHARED", str(shared)).split()) == code
    assert told in said[-1] and len(said) <= 2
    assert [path.name for path in Path().iterdir()] == ["v.mp4"]


@pytest.mark.parametrize(
    ("modules", "light"),
    [
        ("livepose.cli.run", "numpy numba cv2 av torch openvino"),
        ("livepose.cli.start, livepose.live.view", "numba scipy torch openvino ultralytics"),
    ],
    ids=["checks", "the window"],
)
def test_what_comes_first_loads_nothing_that_takes_seconds(modules, light):
    found = f"set({light.split()}) & set(sys.modules)"
    code = f"import sys, {modules}; found = {found}; assert not found, found"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
