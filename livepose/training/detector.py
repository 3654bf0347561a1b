"""The person detector as a task of the training loop: YOLO11 of ultralytics with its loss."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from livepose.boxes import Boxes
from livepose.detection import save_detector
from livepose.detection.library import ultralytics
from livepose.errors import UsageError
from livepose.evaluation.validation import validate_detector
from livepose.training import loop
from livepose.training.data import parse_set
from livepose.training.detector_data import BoxedPictures, Pixels, Sampler, read_boxed
from livepose.training.settings import DetectorSettings
from livepose.training.train_step import Processes, Task, Tensors

EXPORT = "detector.safetensors"
LICENCE = "AGPL-3.0-or-later; trained on research data, see docs/training.md"
HIDDEN_FROM = 8  # channels: narrower convolutions are left to AdamW
FIXED = "dfl"  # the head's sum over distances, which is no weight to learn


def train_detector(settings: DetectorSettings, folder: Path, resume: bool) -> loop.Trainer:
    """Train a detector of persons, or go on with the run in ``folder``; see ``loop.train``."""

    def make(device: torch.device, processes: Processes) -> DetectorTask:
        if processes.count > 1:
            raise UsageError("a detector is trained by one process")
        pictures = read_boxed(settings)
        loop.logger.info(f"{len(pictures)} pictures with {pictures.boxes} boxes")
        return DetectorTask(settings, pictures, folder, device)

    return loop.train(settings, folder, resume, make)


class DetectorTask(Task):
    """Pictures in, boxes out."""

    unit = "pictures"

    def __init__(
        self,
        settings: DetectorSettings,
        pictures: BoxedPictures,
        folder: Path,
        device: torch.device,
    ) -> None:
        self.settings: DetectorSettings = settings
        self._pictures = pictures
        self._folder, self.device = folder, device
        self._sampler = Sampler(pictures, settings.input_px, settings.mosaic, settings.seed)
        self._loss: Any = None

    def build(self) -> nn.Module:
        """A detection model of ultralytics for the one class person, channels last."""
        library = ultralytics()
        from ultralytics.utils import DEFAULT_CFG

        model: Any = library.DetectionModel(self.settings.architecture, nc=1, verbose=False)
        model.args = DEFAULT_CFG  # the gains of the loss
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(FIXED not in name)
        return model.to(self.device)  # type: ignore[no-any-return]

    def is_hidden(self, name: str, parameter: nn.Parameter) -> bool:
        """Convolutions that are wide enough."""
        return parameter.ndim == 4 and min(parameter.shape[:2]) > HIDDEN_FROM

    def prepare(self, step: int, progress: float) -> Tensors:
        """Samples by number."""
        first = step * self.settings.batch
        numbers = range(first, first + self.settings.batch)
        return make_batch([self._sampler(number) for number in numbers])

    def forward(self, network: nn.Module, batch: Tensors) -> Any:
        """Raw predictions; the loss is built for the network at the first time."""
        if self._loss is None:
            from ultralytics.utils.loss import v8DetectionLoss

            self._loss = v8DetectionLoss(network)
        return network(batch["img"])

    def loss(self, outputs: Any, batch: Tensors, progress: float) -> Tensor:
        """Ultralytics' own, a picture."""
        losses: Tensor = self._loss(outputs, batch)[0]
        return losses.sum() / len(batch["img"])

    def validate(self, network: nn.Module, dev: str) -> Mapping[str, float]:
        """AP and AP50 of the exported detector, through the live path."""
        spec = parse_set(dev)
        file = self._folder / EXPORT
        try:
            return validate_detector(file, spec.images, spec.annotations, self.settings.input_px)
        except UsageError as error:
            loop.logger.warning(f"the detector was not measured: {error}")
            return {}

    def written(self, ema: nn.Module, step: int) -> None:
        """The detector beside each checkpoint."""
        draft = self._folder / f"draft.{EXPORT}"
        metadata = {
            "classes": "person",
            "input_px": str(self.settings.input_px),
            "source": "trained by livepose train detector",
            "licence": LICENCE,
            "steps": str(step),
            "pictures": str(step * self.settings.batch),
            "boxes": str(self._pictures.boxes),
            "seed": str(self.settings.seed),
        }
        save_detector(draft, ema, metadata)
        draft.replace(self._folder / EXPORT)


def make_batch(samples: Sequence[tuple[Pixels, Boxes]]) -> Tensors:
    """Samples as ultralytics' loss wants them: boxes as shares, centre and size."""
    inputs = np.stack([pixels for pixels, _ in samples])
    boxes = np.concatenate([boxes for _, boxes in samples]) / inputs.shape[-1]
    owner = np.repeat(np.arange(len(samples)), [len(boxes) for _, boxes in samples])
    xywh = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    images = torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last)
    return {
        "img": images,
        "batch_idx": torch.from_numpy(owner).float(),
        "cls": torch.zeros(len(boxes), 1),
        "bboxes": torch.from_numpy(xywh).float(),
    }
