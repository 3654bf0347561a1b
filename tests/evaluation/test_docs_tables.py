"""The script that measures the documentation's tables again, and the commands in them."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from livepose.cli import parser_of

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", DOCS / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_table_takes_the_place_of_the_old_one(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, ran = tmp_path / "page.md", []
    begin, end = "<!-- begin small: Method, AP -->", "<!-- end small -->"
    block = f"{begin}\n```\nlivepose x \\\n    -f\n```\n\nold\n{end}\n"
    document.write_text(block)

    def run(command: list[str], cwd: Path, check: bool) -> None:
        ran.append(command[1:])
        measured = "| Method | Input | AP |\n| --- | --- | ---: |\n| a | 1x1 | 2 |\n"
        (cwd / "small.md").write_text(measured)

    monkeypatch.setattr(tables.subprocess, "run", run)
    tables.measure(document, tmp_path, None)
    assert ran == [["-m", "livepose", "x", "-f"]]
    table = "| Method | AP |\n| --- | ---: |\n| a | 2 |\n"
    assert document.read_text() == block.replace("old\n", table)


def test_every_documented_command_is_one_that_the_command_line_takes(tables: ModuleType) -> None:
    text = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(livepose eval .*?)```", text, re.DOTALL)
    assert blocks
    for line in tables.commands(blocks[0]):
        words = line[line.index("eval") + 1 :]
        assert parser_of("eval").parse_args(words).part == "coco"
