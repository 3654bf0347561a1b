"""Two processes learn what one does; run by itself this file is the second of them."""

import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

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


def learned(data: str, run: Path, patch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    patch.setattr(pose, "build_network", lambda name, keypoints: Tiny(keypoints))
    fixed = {"precision": "fp32", "threads": 1, "device": "cpu", "warm_up_steps": 1}
    settings = PoseSettings(data=(data,), size="64x64", batch=4, samples=12, **fixed)
    return train(pose.PoseTask, settings, run, False).train_step.network.state_dict()


@pytest.mark.slow
def test_two_processes_learn_what_one_does(data, tmp_path, monkeypatch):
    wanted = learned(data, tmp_path / "one", monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    # What torchrun sets for each of its processes.
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "RANK": "0"}
    second = os.environ | group | {"RANK": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, __file__, data, str(tmp_path / "two")]
    with subprocess.Popen(command, env=second, stderr=subprocess.PIPE, text=True) as other:
        for name, value in group.items():
            monkeypatch.setenv(name, value)
        distributed.init_process_group("gloo", timeout=timedelta(minutes=2))
        found = learned(data, tmp_path / "two", monkeypatch)
        _, errors = other.communicate(timeout=60)
        assert other.returncode == 0, errors[-2000:]
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    learned(sys.argv[1], Path(sys.argv[2]), pytest.MonkeyPatch())
