"""The unit and the container's recipe say what the program knows."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from livepose.cli import parser_of

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    unit = (DEPLOY / "livepose.service").read_text()
    runs_nothing = re.sub(r"ExecStart=\S+", f"ExecStart={shutil.which('true')}", unit)
    (tmp_path / "livepose.service").write_text(runs_nothing)
    command = ["systemd-analyze", "verify", tmp_path / "livepose.service"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_recipe_copies_is_there_and_not_ignored():
    copied = re.findall(r"^COPY (.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.M)
    kept = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name in " ".join(copied).split():
        assert (ROOT / name).exists() and f"!{name}" in kept


@pytest.mark.parametrize("name", ["livepose.service", "Dockerfile"])
def test_every_option_in_them_exists(name):
    started = re.findall(r"^(?:ExecStart|ENTRYPOINT).*", (DEPLOY / name).read_text(), re.M)
    options = re.findall(r"--[a-z-]+", " ".join(started))
    assert len(options) >= 3
    actions = parser_of(None)._actions
    assert set(options) <= {word for action in actions for word in action.option_strings}
