"""The commands in the documentation's tables."""

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


def test_every_documented_command_is_one_that_the_command_line_takes(tables: ModuleType) -> None:
    text = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(livepose eval .*?)```", text, re.DOTALL)
    assert blocks
    for line in tables.commands(blocks[0]):
        words = line[line.index("eval") + 1 :]
        assert parser_of("eval").parse_args(words).part == "coco"
