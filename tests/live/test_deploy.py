"""The unit and the container's recipe say what the program knows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    unit = (DEPLOY / "livepose.service").read_text()
    (tmp_path / "livepose.service").write_text(
        re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit)
    )
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "livepose.service"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_recipe_copies_is_there_and_not_ignored():
    copied = re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in " ".join(copied).split():
        assert (ROOT / name).exists() and f"!{name}" in kept


@pytest.mark.parametrize("name", ["livepose.service", "Dockerfile"])
def test_every_option_in_them_exists(name):
    from livepose.cli import parser_of

    parser = parser_of(None)
    lines = [line for line in (DEPLOY / name).read_text().splitlines() if not line.startswith("#")]
    started = [line for line in lines if line.startswith(("ExecStart", "ENTRYPOINT"))]
    options = re.findall(r"--[a-z-]+", " ".join(started))
    assert len(options) >= 3
    known = {word for action in parser._actions for word in action.option_strings}
    assert set(options) <= known
