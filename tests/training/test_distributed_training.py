"""Two processes learn what one does; run by torchrun this file is one of the processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from livepose.training import pose
from livepose.training.loop import train
from livepose.training.settings import PoseSettings

ROOT = Path(__file__).resolve().parent.parent.parent


class Tiny(nn.Module):
    """Without batch norm, whose statistics are each process's own."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 4, 4)
        # Softmax does not see a bias: its gradient is rounding, which AdamW makes large.
        self.final_layer = nn.Conv2d(8, keypoints, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.final_layer(torch.relu(self.conv1(images)))


def work(data: str, output: Path) -> None:
    pose.build_network = lambda name, keypoints: Tiny(keypoints)
    fixed = {"precision": "fp32", "threads": 1, "device": "cpu", "warm_up_steps": 1}
    settings = PoseSettings(data=(data,), size="64x64", batch=4, samples=24, **fixed)
    trainer = train(pose.PoseTask, settings, output.with_suffix(""), False)
    if trainer.processes.first:
        torch.save(trainer.train_step.network.state_dict(), output)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(data: str, tmp_path: Path) -> None:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    states = []
    for number, how in enumerate(([], launch)):
        output = tmp_path / f"by{number}.pt"
        command = [sys.executable, *how, __file__, data, str(output)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr[-2000:]
        states.append(torch.load(output, weights_only=True))
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
