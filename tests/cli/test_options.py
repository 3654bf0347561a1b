"""Options come out of dataclasses, and dataclasses out of options."""

from argparse import ArgumentParser
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from livepose.cli import main, parser_of
from livepose.cli.options import add_options, options
from livepose.cli.run_options import OutputOptions, SourceOptions
from livepose.errors import UsageError
from livepose.settings import Settings, option


def size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


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
    size_wh: tuple[int, int] | None = option(None, "a size", flag="--size", parse=size)
    kind: str = option("a", "a kind", choices=("a", "b"))


def parsed(*words: str) -> Example:
    parser = ArgumentParser()
    add_options(parser, Example)
    return options(Example, parser.parse_args(words))


def test_a_dataclass_is_its_own_defaults_where_nothing_is_given() -> None:
    assert parsed("--needed", "x") == Example("x")


def test_every_kind_of_field_comes_back_as_its_type() -> None:
    words = "--needed x --file f --count 2 --share 0.1 --no-decay --loud --side 5"
    more = "--words one --words two --size 4x6 --kind b"
    assert parsed(*words.split(), *more.split()) == Example(
        "x", Path("f"), 2, 0.1, False, True, 5, ("one", "two"), (4, 6), "b"
    )


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
    with pytest.raises(SystemExit) as ended:
        parsed(*words.split())
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed",
    [
        {"max_people": 0},
        {"max_people": "two"},
        {"max_people": 2.5},
        {"target_fps": "fast"},
        {"decode": "guess"},
        {"target_fps": -1.0},
        {"max_latency_ms": float("nan")},
        {"runtime": "abacus"},
    ],
)
def test_settings_of_the_library_are_checked_by_the_same_bounds(changed: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Settings(**changed)  # type: ignore[arg-type]


def test_an_input_size_is_rows_and_columns_that_networks_bear(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = ArgumentParser()
    add_options(parser, Settings)
    words = ["--input", "192x144", "--small-people", "96"]
    chosen = options(Settings, parser.parse_args(words))
    assert (chosen.input_hw, chosen.small_people_px) == ((192, 144), 96.0)
    evaluation = ["eval", "coco", "--images", "x", "--annotations", "y"]
    for command in ([], evaluation):
        with pytest.raises(SystemExit) as ended:
            main([*command, "--input", "100x96"])
        assert ended.value.code == 2
        assert "in steps of 16, best of 32 (256x192, 128x96, 96x64), got 100x96" in (
            capsys.readouterr().err
        )


def test_every_setting_says_what_it_is() -> None:
    for kind in (Settings, SourceOptions, OutputOptions):
        assert all(entry.metadata["help"] for entry in fields(kind))


def test_sources_of_two_kinds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--camera", "0", "--video", "in.mp4"]) == 2
    assert "sources of one kind" in capsys.readouterr().err


def test_outputs_of_several_streams_get_their_numbers() -> None:
    asked = OutputOptions(json="a/poses.jsonl", csv=Path("poses.csv"))
    assert asked.numbered(2) == OutputOptions(json=Path("a/poses-2.jsonl"), csv=Path("poses-2.csv"))
    with pytest.raises(UsageError, match="cannot share --json -"):
        OutputOptions(json="-").numbered(1)


def test_an_option_of_several_values_may_be_repeated() -> None:
    given = parser_of(None).parse_args(["--image", "a", "b", "--image", "c"])
    assert options(SourceOptions, given).image == ("a", "b", "c")
