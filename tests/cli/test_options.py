"""Options come out of dataclasses, and dataclasses out of options, environment and file."""

import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from livepose.cli import given_by, main
from livepose.cli.options import options
from livepose.cli.run_options import RunOptions
from livepose.errors import UsageError
from livepose.settings import Settings

SHARDS = ("0/8", "9/8", "2", "/8", "a/b", "1/0", "²/3")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "livepose.toml"


def run_options(*words: str) -> RunOptions:
    return options(RunOptions, given_by([*words]))


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        ("--camera-size big", "", "expected WIDTHxHEIGHT such as 1280x720, at most 8192x8192"),
        ("--camera-size 0x0", "", "expected WIDTHxHEIGHT such as 1280x720, at most 8192x8192"),
        ("--rotate 45", "", "expected 90, 180 or 270 degrees, or a size or age such as 100MB"),
        ("--input 100x96", "", "in steps of 16, best of 32 (256x192, 128x96, 96x64), got 100x96"),
        ("--rate 10001", "", "--rate: expected a number above 0, at most 10000, got '10001'"),
        ("", "height-m = 175", "--height-m: expected a number from 0.2 to 3, got '175'"),
        *((f"--shard {one}", "", "expected I/N with 1 <= I <= N such as 2/8") for one in SHARDS),
        ("--start 5:99", "", "--start: expected seconds or h:mm:ss, got '5:99'"),
        ("--keypoint-threshold nan", "", "expected a number from 0 on, got 'nan'"),
        ("--nonsense", "", "unrecognized arguments: --nonsense"),
        ("", "max-peple = 2", "max-peple is no option; is max-people meant?"),
        ("", "max-people = 0", "max-people: expected a whole number from 1 on, got '0'"),
        ("", "json = true", "--json needs a value, or --output-dir"),
        ("", "predict = 3", "predict: expected true or false, got 3"),
        ("", 'smooth = "much"', "smooth: expected one of still"),
        ("", "a = " + "[" * 5000, "cannot be read as TOML"),
    ],
)
def test_what_cannot_be_right_is_one_sentence_and_a_usage_error(file, words, content, said, capsys):
    file.write_text(content)
    with suppress(SystemExit):  # of argparse, with the same exit code
        assert main(["--video", "in.mp4", *words.split()]) == 2
    assert said in capsys.readouterr().err


def test_options_with_a_form_of_their_own_are_read():
    words = "--image a b --image c --rotate 90 --rotate 1h --reconnect forever --start 1:02:03.5"
    sources = run_options(*words.split(), "--camera-size", "1280x720").sources
    assert sources.image == ("a", "b", "c")
    assert (sources.turn_deg, sources.rotation) == (90, "1h")
    assert (sources.reconnect_s, sources.start_s) == (float("inf"), 3723.5)
    assert sources.camera_size == (1280, 720)


@pytest.mark.parametrize(
    "changed",
    [
        *({"max_people": 0}, {"max_people": 2.5}, {"target_fps": "fast"}, {"decode": "guess"}),
        *({"max_latency_ms": float("nan")}, {"input_hw": (100, 96)}),
    ],
)
def test_settings_of_the_library_are_checked_by_the_same_bounds(changed):
    with pytest.raises(UsageError, match="expected"):
        Settings(**changed)  # type: ignore[arg-type]


def test_the_command_line_counts_more_than_the_environment_and_that_more_than_the_file(
    file, monkeypatch
):
    assert run_options() == RunOptions()
    file.write_text("max-people = 2\ndetect_every = 3\nmax-latency = 50\npredict = true\n")
    monkeypatch.setenv("LIVEPOSE_DETECT_EVERY", "4")
    monkeypatch.setenv("LIVEPOSE_MAX_LATENCY", "60")
    assert run_options("--max-latency", "70").settings == Settings(
        max_people=2, detect_every=4, max_latency_ms=70.0, predict=True
    )
    monkeypatch.setenv("LIVEPOSE_PREDICT", "0")
    assert not run_options().settings.predict


def test_sources_and_lists_of_one_place_take_the_place_of_those_below(file, monkeypatch):
    file.write_text('camera = 0\nsend = ["osc://127.0.0.1:1", "osc://127.0.0.1:2"]\n')
    assert run_options().sources.camera == ("0",)
    assert run_options("in.mp4").sources.named() == ("in.mp4",)
    assert len(run_options().live.send) == 2
    assert run_options("--send", "osc://127.0.0.1:3").live.send == ("osc://127.0.0.1:3",)
    monkeypatch.setenv("LIVEPOSE_VIDEO", "other.mp4")
    assert run_options().sources.kind == "video"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dem", "demo"),
        ("--smo", "--smooth"),
        ("weights import --fam", "--family"),
        ("weights fet", "fetch"),
        ("export --smo", ""),
    ],
)
def test_bash_completes_commands_and_their_options(typed, offered, capsys):
    assert main(["completion", "bash"]) == 0
    script = (
        f"{capsys.readouterr().out}\nCOMP_WORDS=(livepose {typed}); "
        f"COMP_CWORD={len(typed.split())}\n_livepose\necho ${{COMPREPLY[@]}}"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (offered, "")
