"""Two processes learn what one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

WORKER = Path(__file__).parent / "distributed_worker.py"
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_two_processes_learn_what_one_does(drawn_set: Path, tmp_path: Path) -> None:
    states = []
    for count in (1, 2):
        output = tmp_path / f"by{count}.pt"
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        command = [sys.executable, *(launch if count > 1 else ()), str(WORKER)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, str(drawn_set), str(output)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        states.append(torch.load(output, weights_only=True))
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-4, atol=1e-5)
