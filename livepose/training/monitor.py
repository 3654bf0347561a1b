"""A quick look at how good a network is while it trains: PCK and OKS on given boxes.

For watching only: figures that are reported come from the evaluation.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from livepose.heatmaps import decode
from livepose.skeletons import Skeleton
from livepose.training.appearance import Appearance
from livepose.training.geometry import TrainingGeometry, transform
from livepose.training.losses import softmax_maps
from livepose.training.people import People
from livepose.training.plan import Plan
from livepose.training.render import render_crops

Floats = NDArray[np.float64]
PCK_SHARE = 0.2
AREA_OF_BOX = 0.53
BATCH = 32
TORSO = (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip"))


@dataclass(frozen=True)
class Monitor:
    """What it takes to run a network on people with given boxes."""

    skeleton: Skeleton
    geometry: TrainingGeometry
    appearance: Appearance
    activation: str
    sigma: float
    device: torch.device

    def measure(self, network: nn.Module, people: People) -> dict[str, float]:
        """``pck`` (0.2 of the torso), mean ``oks``, and the share of people with OKS over 0.5."""
        found = np.concatenate(
            [
                self._keypoints(network, people, np.arange(start, min(start + BATCH, len(people))))
                for start in range(0, len(people), BATCH)
            ]
        )
        distance = np.linalg.norm(found - people.xy, axis=2)
        oks = self._oks(distance, people)
        right, counted = self._pck(distance, people)
        return {
            "pck": round(right / max(counted, 1), 4),
            "oks": round(float(oks.mean()), 4),
            "oks50": round(float((oks > 0.5).mean()), 4),
            "people": len(people),
        }

    def heatmaps(
        self, network: nn.Module, people: People, rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Heatmaps of some people as they are used, (B, K, H, W)."""
        plan = plain_plan(people, rows, self.geometry)
        crops = torch.from_numpy(render_crops(people, plan, self.geometry.input_hw))
        rgb = crops.flip(-1).permute(0, 3, 1, 2).float().to(self.device)
        inputs = self.appearance.normalise(rgb).contiguous(memory_format=torch.channels_last)
        was_training = network.training
        network.eval()
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
            outputs = network(inputs).float()
        network.train(was_training)
        maps = softmax_maps(outputs, self.sigma) if self.activation == "softmax" else outputs
        return np.asarray(maps.cpu().numpy(), dtype=np.float32)

    def _keypoints(self, network: nn.Module, people: People, rows: NDArray[np.int64]) -> Floats:
        decoded = decode(self.heatmaps(network, people, rows), "dark")
        boxes = people.boxes_xyxy[rows]
        crops = self.geometry.crops
        return np.asarray(crops.to_image(decoded.xy, boxes, self.geometry.heatmap_hw))

    def _oks(self, distance: Floats, people: People) -> Floats:
        sigmas = np.array(self.skeleton.sigmas_or_middling)
        side = people.boxes_xyxy[:, 2:] - people.boxes_xyxy[:, :2]
        area = (side.prod(axis=1) * AREA_OF_BOX)[:, None]
        alike = np.exp(-(distance**2) / ((2 * sigmas) ** 2 * area * 2))
        known = people.weights > 0
        return np.asarray((alike * known).sum(axis=1) / known.sum(axis=1))

    def _pck(self, distance: Floats, people: People) -> tuple[int, int]:
        """Body keypoints within a fifth of the torso, and how many there are."""
        names = {name: index for index, name in enumerate(self.skeleton.keypoints)}
        torso = np.full(len(people), np.nan)
        for first, second in TORSO:
            if first in names and second in names:
                pair = [names[first], names[second]]
                known = (people.weights[:, pair] > 0).all(axis=1) & np.isnan(torso)
                length = np.linalg.norm(people.xy[:, pair[0]] - people.xy[:, pair[1]], axis=1)
                torso = np.where(known, length, torso)
        body = np.array([not name.endswith(("nose", "eye", "ear")) for name in names])
        counted = (people.weights > 0) & body & np.isfinite(torso)[:, None]
        right = counted & (distance < PCK_SHARE * torso[:, None])
        return int(right.sum()), int(counted.sum())


def plain_plan(people: People, rows: NDArray[np.int64], geometry: TrainingGeometry) -> Plan:
    """A plan without any change: crops as they are when the network is used."""
    count = len(rows)
    zeros, never = np.zeros(count), np.zeros(count, dtype=bool)
    matrices = geometry.matrices(people.boxes_xyxy[rows], zeros, never)
    return Plan(
        people=rows,
        matrices=matrices,
        windows_xyxy=people.windows_xyxy[rows],
        heatmap_xy=geometry.to_heatmap(transform(matrices, people.xy[rows])),
        weights=people.weights[rows],
        absent_weights=np.zeros_like(people.weights[rows]),
        gain=np.ones((count, 3)),
        bias=zeros,
        saturation=np.ones(count),
        blur_px=zeros,
        noise=zeros,
        hole_xyxy=np.zeros((count, 4)),
        hole_rgb=np.zeros((count, 3)),
        noise_seeds=np.zeros(count, dtype=np.int64),
    )
