"""A shell completes commands and their options."""

import subprocess

import pytest

from livepose.cli import main


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["dem"], ["demo"]),
        (["--smo"], ["--smooth"]),
        (["weights", "import", "--fam"], ["--family"]),
        (["weights", "fet"], ["fetch"]),
        (["export", "--smo"], []),
    ],
)
def test_bash_offers_what_may_follow(
    typed: list[str], offered: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", "bash"]) == 0
    script = (
        f"{capsys.readouterr().out}\nCOMP_WORDS=(livepose {' '.join(typed)}); "
        f"COMP_CWORD={len(typed)}\n_livepose\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (offered, "")
