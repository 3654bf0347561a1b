"""A shell completes commands, options and their values."""

import shutil
import subprocess

import pytest

from livepose.cli import COMMANDS, main


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("livepose", "dem"), {"demo"}),
        (("livepose", "--smo"), {"--smooth"}),
        (("livepose", "--smooth", "b"), {"balanced"}),
        (("livepose", "weights", "--qu"), {"--quiet"}),
        (("livepose", "weights", "import", "--fam"), {"--family"}),
    ],
)
def test_bash_offers_what_there_is(
    typed: tuple[str, ...], offered: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    words = " ".join(typed)
    script = (
        f"{capsys.readouterr().out}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}\n"
        "_livepose\nprintf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == offered
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_theirs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
