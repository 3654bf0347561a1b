"""The script that measures the documentation's tables again, and the commands in them."""

import importlib.util
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from livepose.cli import parser_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    return script("tables")


DOCUMENT = """# Title

<!-- begin small: Method, AP -->
```
livepose something \\
    --markdown small.md
```

old
<!-- end small -->

<!-- begin plot -->
```
livepose other
```

![What it shows](plot.png)

old
<!-- end plot -->
after
"""
TABLE = """| Method | Input | AP |
| --- | --- | ---: |
| a | 1x1 |  |
| b | 1x1 | 2.0 [1, 3] |

- b - a: +1
"""


def test_a_table_takes_the_place_of_the_old_one(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, ran = tmp_path / "page.md", []
    document.write_text(DOCUMENT)

    def run(command: list[str], cwd: Path, check: bool) -> None:
        ran.append(command[1:])
        (cwd / "small.md").write_text(TABLE)
        (cwd / "plot.png").write_bytes(b"image")

    monkeypatch.setattr(tables.subprocess, "run", run)
    monkeypatch.setattr(tables, "DOCS", tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    work = tmp_path / "work"
    work.mkdir()
    tables.measure(document, work, None)
    assert ran == [
        ["-m", "livepose", "something", "--markdown", "small.md"],
        ["-m", "livepose", "other"],
    ]
    written = document.read_text()
    assert (
        "| Method | AP |\n| --- | ---: |\n| a |  |\n| b | 2.0 [1, 3] |\n\n- b - a: +1\n<!--"
        in written
    )
    assert "![What it shows](plot.png)\n<!-- end plot -->\nafter\n" in written
    assert "old" not in written
    assert (tmp_path / "docs" / "plot.png").read_bytes() == b"image"
    tables.measure(document, work, ["plot"])
    assert document.read_text() == written
    assert len(ran) == 3
    document.write_text("on <!-- machine -->an old one<!-- /machine -->.")
    tables.name_machine(document)
    assert re.search(r"^on <!-- machine -->.+, \d+ cores?<!-- /machine -->\.", document.read_text())


def documented() -> list[str]:
    tables = script("tables")
    text = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    return [
        shlex.join(line)
        for m in tables.BLOCK.finditer(text)
        for line in tables.commands(m["command"])
    ]


def test_every_documented_command_is_one_that_the_command_line_takes() -> None:
    parser = parser_of("eval")
    halves = [line.partition(" livepose eval ") for line in documented()]
    own = [after for _, found, after in halves if found]
    assert len(own) >= 2
    for line in own:
        assert parser.parse_args(shlex.split(line)).part in {"coco", "lsp", "mpii"}
