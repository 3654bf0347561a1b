"""What the command line leaves open comes from the environment, then from a file."""

from argparse import Namespace
from pathlib import Path

import pytest

from livepose.cli import main
from livepose.cli.run_options import RunOptions
from livepose.errors import UsageError
from livepose.settings import Settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "livepose.toml"


def settings(**given: object) -> Settings:
    return RunOptions.given(Namespace(**given)).settings


def test_the_command_line_counts_more_than_the_environment_and_that_more_than_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("max-people = 2\ndetect_every = 3\nmax-latency = 50\npredict = true\n")
    monkeypatch.setenv("LIVEPOSE_DETECT_EVERY", "4")
    monkeypatch.setenv("LIVEPOSE_MAX_LATENCY", "60")
    assert settings(max_latency_ms=70.0) == Settings(
        max_people=2, detect_every=4, max_latency_ms=70.0, predict=True
    )


def test_without_file_and_variables_nothing_changes(file: Path) -> None:
    assert settings() == Settings()


def test_a_file_may_lie_elsewhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = file.with_name("mine.toml")
    elsewhere.write_text('smooth = "none"')
    monkeypatch.setenv("LIVEPOSE_CONFIG", str(elsewhere))
    assert settings().smooth == "none"
    elsewhere.unlink()
    with pytest.raises(UsageError, match=r"mine.toml does not exist"):
        settings()


def test_lists_are_options_that_may_be_repeated(file: Path) -> None:
    file.write_text('camera = ["0", "1"]\njson = "poses.jsonl"\n')
    whole = RunOptions.given(Namespace())
    assert whole.sources.camera == ("0", "1")
    assert whole.outputs.json == Path("poses.jsonl")


def test_a_source_on_the_command_line_takes_the_place_of_one_in_the_file(file: Path) -> None:
    file.write_text("camera = 0")
    whole = RunOptions.given(Namespace(video=["in.mp4"]))
    assert whole.sources.chosen() == [("video", "in.mp4")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("max-peple = 2", "max-peple is no option; is max-people meant?"),
        ("colour = 2", "colour is no option; see livepose --help"),
        ("max-people = 0", "max-people: expected a whole number from 1 on, got '0'"),
        ("max-people = [1, 2]", "max-people: expected one value, got [1, 2]"),
        ("predict = 3", "predict: expected true or false, got 3"),
        ('smooth = "much"', "smooth: expected one of still"),
        ("[smooth]", "smooth: expected one value, got {}"),
        ("max-people", "cannot be read as TOML"),
        ("a = " + "[" * 5000, "cannot be read as TOML"),
    ],
)
def test_what_cannot_be_right_is_one_sentence(
    file: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(content)
    assert main(["--video", "in.mp4"]) == 2
    assert said in capsys.readouterr().err
