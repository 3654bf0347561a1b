"""A shell completes commands, options and their values."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from livepose.cli import main


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("dem",), {"demo"}),
        (("--smo",), {"--smooth"}),
        (("--smooth", "b"), {"balanced"}),
        (("weights", "import", "--fam"), {"--family"}),
        (("--output", ""), set()),
    ],
)
def test_what_may_follow_is_offered(
    typed: tuple[str, ...], offered: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "words", "--", *typed]) == 0
    assert set(capsys.readouterr().out.split()) == offered


def test_bash_asks_and_offers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = tmp_path / "livepose"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m livepose "$@"\n')
    command.chmod(0o755)
    assert main(["completion", "bash"]) == 0
    script = (
        f"{capsys.readouterr().out}\nCOMP_WORDS=(livepose --smooth b); COMP_CWORD=2\n"
        "_livepose\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env={**os.environ, **path}
    )
    assert (done.stdout, done.stderr) == ("balanced\n", "")
