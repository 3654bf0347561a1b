"""One of several processes of a tiny training; writes the first one's weights.

Run by torchrun: the paths of the set's folder and of the output are its arguments.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from livepose.training import pose
from livepose.training.loop import train
from livepose.training.settings import PoseSettings


class Tiny(nn.Module):
    """Without batch norm, whose statistics are each process's own."""

    def __init__(self, keypoints: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 4, 4)
        # Softmax does not see a bias: its gradient is rounding, which AdamW makes large.
        self.final_layer = nn.Conv2d(8, keypoints, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.final_layer(torch.relu(self.conv1(images)))


def work(folder: Path, output: Path) -> None:
    pose.build_network = lambda name, keypoints: Tiny(keypoints)
    settings = PoseSettings(
        data=(f"{folder / 'images.zip'}:{folder / 'annotations.json'}",),
        size="64x64",
        batch=4,
        samples=24,
        precision="fp32",
        threads=1,
        device="cpu",
        warm_up_steps=1,
    )
    trainer = train(pose.PoseTask, settings, output.with_suffix(""), False)
    if trainer.processes.first:
        torch.save(trainer.train_step.network.state_dict(), output)


if __name__ == "__main__":
    work(Path(sys.argv[1]), Path(sys.argv[2]))
