"""Options come out of dataclasses, and dataclasses out of options, environment and file."""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field, fields
from pathlib import Path

import pytest

from livepose.cli import main, parser_of
from livepose.cli.options import add_options, command, options
from livepose.cli.run_options import OutputOptions, RunOptions, SourceOptions
from livepose.errors import UsageError
from livepose.settings import Settings, option, parse_size


@dataclass(frozen=True)
class Inner:
    """Within another."""

    depth: int = option(1, "how deep")


@dataclass(frozen=True)
class Example:
    """One of each kind."""

    needed: str = option(help="has no default")
    file: Path | None = option(None, "a file")
    count: int | None = option(None, "a count", least=1)
    share: float = option(0.5, "a share", above=0)
    decay: bool = option(True, "keep the rate")
    loud: bool = option(False, "louder, by 6 %")
    side_px: int = option(3, "of a crop", flag="--side")
    words: tuple[str, ...] = option((), "words")
    size_wh: tuple[int, int] | None = option(None, "a size", flag="--size", parse=parse_size)
    kind: str = option("a", "a kind", choices=("a", "b"))
    inner: Inner = field(default_factory=Inner)


def parsed(*words: str) -> Example:
    parser = ArgumentParser()
    add_options(parser, Example)
    return options(Example, parser.parse_args(words))


def test_a_dataclass_is_its_own_defaults_where_nothing_is_given() -> None:
    assert parsed("--needed", "x") == Example("x")


def test_every_kind_of_field_comes_back_as_its_type() -> None:
    words = "--needed x --file f --count 2 --share 0.1 --no-decay --loud --side 5"
    more = "--words one --words two --size 4x6 --kind b --depth 7"
    assert parsed(*words.split(), *more.split()) == Example(
        "x", Path("f"), 2, 0.1, False, True, 5, ("one", "two"), (4, 6), "b", Inner(7)
    )


def test_a_function_is_a_command_with_its_parameters_as_options() -> None:
    @command("Says it.")
    def say(what: Example, loudly: bool = option(False, "louder")) -> int:
        return what.inner.depth if loudly else 0

    parser = ArgumentParser()
    say.register(parser)
    given = parser.parse_args(["--needed", "x", "--loudly", "--depth", "3"])
    assert given.run(given) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--count 2", "required: --needed"),
        ("--needed x --count 0", "expected a whole number from 1 on, got '0'"),
        ("--needed x --count many", "expected a whole number, got 'many'"),
        ("--needed x --share -1", "expected a number above 0, got '-1'"),
        ("--needed x --share nan", "expected a number above 0, got 'nan'"),
        ("--needed x --kind c", "expected one of a, b, got 'c'"),
    ],
)
def test_what_cannot_be_right_is_said(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(*words.split())
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--camera-size", "big"], "expected WIDTHxHEIGHT such as 1280x720, got 'big'"),
        (["--rotate", "45"], "expected 90, 180 or 270 degrees, or a size or age such as 100MB"),
        (["--reconnect", "0"], "expected seconds above 0 or forever, got '0'"),
        (["--start", "1:2:3:4"], "expected seconds or h:mm:ss, got '1:2:3:4'"),
        (["--input", "100x96"], "in steps of 16, best of 32 (256x192, 128x96, 96x64), got 100x96"),
        (["--max-people", "0"], "expected a whole number from 1 on, got '0'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_a_wrong_option_of_a_run_is_a_usage_error(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--camera", "0", *words])
    assert said in capsys.readouterr().err


def test_options_with_a_form_of_their_own_are_read() -> None:
    words = "--image a b --image c --rotate 90 --rotate 1h --reconnect forever --start 1:02:03.5"
    given = parser_of(None).parse_args([*words.split(), "--camera-size", "1280x720"])
    sources = options(SourceOptions, given)
    assert sources.image == ("a", "b", "c")
    assert (sources.turn_deg, sources.rotation) == (90, "1h")
    assert (sources.reconnect_s, sources.start_s) == (float("inf"), 3723.5)
    assert sources.camera_size == (1280, 720)


@pytest.mark.parametrize(
    "changed",
    [
        *({"max_people": 0}, {"max_people": "two"}, {"max_people": 2.5}, {"target_fps": "fast"}),
        *({"decode": "guess"}, {"target_fps": -1.0}, {"max_latency_ms": float("nan")}),
        *({"runtime": "abacus"}, {"input_hw": (100, 96)}),
    ],
)
def test_settings_of_the_library_are_checked_by_the_same_bounds(changed: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Settings(**changed)  # type: ignore[arg-type]


def test_every_setting_says_what_it_is() -> None:
    for kind in (Settings, SourceOptions, OutputOptions):
        assert all(entry.metadata["help"] for entry in fields(kind))


def test_outputs_of_several_streams_get_their_numbers() -> None:
    asked = OutputOptions(json="a/poses.jsonl", csv=Path("poses.csv"))
    assert asked.numbered(2) == OutputOptions(json=Path("a/poses-2.jsonl"), csv=Path("poses-2.csv"))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "livepose.toml"


def run_options(**given: object) -> RunOptions:
    return RunOptions.given(Namespace(**given))


def test_the_command_line_counts_more_than_the_environment_and_that_more_than_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_options() == RunOptions()
    file.write_text("max-people = 2\ndetect_every = 3\nmax-latency = 50\npredict = true\n")
    monkeypatch.setenv("LIVEPOSE_DETECT_EVERY", "4")
    monkeypatch.setenv("LIVEPOSE_MAX_LATENCY", "60")
    assert run_options(max_latency_ms=70.0).settings == Settings(
        max_people=2, detect_every=4, max_latency_ms=70.0, predict=True
    )
    monkeypatch.setenv("LIVEPOSE_PREDICT", "0")
    assert not run_options().settings.predict


def test_a_file_may_lie_elsewhere(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = file.with_name("mine.toml")
    elsewhere.write_text('smooth = "none"')
    monkeypatch.setenv("LIVEPOSE_CONFIG", str(elsewhere))
    assert run_options().settings.smooth == "none"
    elsewhere.unlink()
    with pytest.raises(UsageError, match=r"mine.toml does not exist"):
        run_options()


def test_lists_are_options_that_may_be_repeated(file: Path) -> None:
    file.write_text('camera = ["0", "1"]\njson = "poses.jsonl"\n')
    assert run_options().sources.camera == ("0", "1")
    assert run_options().outputs.json == Path("poses.jsonl")


def test_a_source_on_the_command_line_takes_the_place_of_one_in_the_file(file: Path) -> None:
    file.write_text("camera = 0")
    assert run_options(video=["in.mp4"]).sources.chosen() == [("video", "in.mp4")]


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
def test_what_cannot_be_right_in_a_file_is_one_sentence(
    file: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(content)
    assert main(["--video", "in.mp4"]) == 2
    assert said in capsys.readouterr().err
