"""The person detector as a task of the training loop: YOLO11 of ultralytics with its loss.

Every sample is a pure function of the seed and its number. Sets in which only one person an image
is boxed teach that the others are none: their boxes are completed by another detector, or their
images are cut around that one box. People near the camera are frequent: images are scaled from
0.45 to 1.8 times the input and placed or cut at random. Boxes are edges (``livepose.boxes``), and
so are places on the canvas.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.boxes import Boxes, area, clip, inside, iou
from livepose.detection import Detector, open_detector
from livepose.detection.checkpoint import save_detector, ultralytics
from livepose.detection.letterbox import GREY
from livepose.errors import DataError, UsageError
from livepose.evaluation.dataset import Problems, read_dataset
from livepose.evaluation.validation import validate_detector
from livepose.frame import ImageBgr
from livepose.training.data import ADVICE, SetSpec, load_images, parse_set
from livepose.training.settings import DetectorSettings
from livepose.training.train_step import LICENCE, Processes, Task, Tensors

logger = logging.getLogger(__name__)
HIDDEN_FROM = 8  # channels: narrower convolutions are left to AdamW
FIXED = "dfl"  # the head's sum over distances, which is no weight to learn
COMPLETING_SCORE = 0.4
SAME_PERSON_IOU, SAME_PERSON_SHARE = 0.4, 0.8
CUT_MARGIN = 0.12
LEAST_VISIBLE, LEAST_SIDE_PX = 0.15, 4.0
WHOLE_SHARE = 0.2  # images that are fitted as the live detector fits them
SCALE = (0.45, 1.8)
STRETCH = 0.08  # of the ratio of sides, standard deviation of its logarithm
BAND_SHARE, BAND_RATIOS = 0.5, (0.5625, 0.75)  # canvases with grey above and below, as live
MOSAIC_CENTRE = (0.3, 0.7)
SHRUNK_BELOW, SHRINK_MARGIN = 0.5, 1.4  # averaged first, so that nothing flickers
_STREAM = 0xDE7EC7

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class BoxedImages:
    """Images, the boxes (N, 4) of the people in each, and how often each is drawn."""

    images: list[ImageBgr]
    boxes_xyxy: list[Boxes]
    weights: list[float]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def boxes(self) -> int:
        """How many boxes there are in all."""
        return sum(map(len, self.boxes_xyxy))

    @cached_property
    def _cumulative(self) -> NDArray[np.float64]:
        return np.asarray(np.cumsum(self.weights) / np.sum(self.weights))

    def draw(self, rng: np.random.Generator) -> tuple[ImageBgr, Boxes]:
        """Any image with its boxes."""
        index = int(np.searchsorted(self._cumulative, rng.random(), side="right"))
        index = min(index, len(self) - 1)
        return self.images[index], self.boxes_xyxy[index]


def read_boxed(settings: DetectorSettings) -> BoxedImages:
    """All sets; those that are one-boxed are completed or cut."""
    specs, file = [parse_set(text) for text in settings.data], settings.complete_with
    if file is not None and not any(spec.one_boxed for spec in specs):
        raise UsageError(
            f"--complete-with {file}: none of the sets is IMAGES:ANNOTATIONS:one-boxed"
        )
    detector = file and open_detector(file, "cpu", score_threshold=COMPLETING_SCORE)
    problems, every = Problems(settings.strict_data, ADVICE), BoxedImages([], [], [])
    for spec in specs:
        images, boxes = _read_set(spec, spec.one_boxed and not detector, problems)
        if spec.one_boxed and detector:
            before = sum(map(len, boxes))
            boxes = [completed(*pair, detector) for pair in zip(images, boxes, strict=True)]
            added = sum(map(len, boxes)) - before
            logger.info(f"{spec.annotations}: {detector.name} added {added} boxes to {before}")
        every.images.extend(images)
        every.boxes_xyxy.extend(boxes)
        every.weights.extend([spec.weight] * len(images))
    problems.tell()
    return every


def _read_set(spec: SetSpec, cut: bool, problems: Problems) -> tuple[list[ImageBgr], list[Boxes]]:
    """Its images with their boxes; ``cut``: only the surroundings of the first box of each."""
    dataset = read_dataset(spec.annotations, problems, skeleton=None)
    boxes: list[list[Boxes]] = [[] for _ in dataset.images]
    for person in dataset.everybody:
        if not person.is_crowd and person.wh_px.min() >= LEAST_SIDE_PX:
            boxes[person.image].append(person.box_xyxy)
    images = load_images(dataset, spec.images, problems)
    # An image without people teaches what none are; one that is cut needs a box to cut around.
    kept = [
        (image, np.array(own).reshape(-1, 4))
        for image, own in zip(images, boxes, strict=True)
        if image is not None and (own or not cut)
    ]
    if not any(len(own) for _, own in kept):
        raise DataError(
            f"{spec.annotations}: expected boxes of people, found none that can be used"
            f"{problems.reason()}"
        )
    if cut:
        kept = [_cut_around(image, own[0]) for image, own in kept]
    return [image for image, _ in kept], [own for _, own in kept]


def completed(image: ImageBgr, labelled_xyxy: Boxes, detector: Detector) -> Boxes:
    """Labelled boxes (N, 4) and those found that are of nobody yet, the surest first."""
    [found], kept = detector([image]), labelled_xyxy
    for box, score in zip(found.boxes_xyxy[:, None], found.scores, strict=True):
        is_there = (iou(box, kept) > SAME_PERSON_IOU) | (inside(box, kept) > SAME_PERSON_SHARE)
        if score > COMPLETING_SCORE and not is_there.any():
            kept = np.concatenate([kept, box])
    return kept


def _cut_around(image: ImageBgr, box_xyxy: Boxes) -> tuple[ImageBgr, Boxes]:
    """The part of an image around its only box, and the box (1, 4) in it."""
    margin = CUT_MARGIN * (box_xyxy[2:] - box_xyxy[:2]).max()
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(box_xyxy[:2] - margin), 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(box_xyxy[2:] + margin), [left + 1, top + 1], [width, height])
    part = image[top : int(bottom), left : int(right)]
    return part, (box_xyxy - np.array([left, top, left, top]))[None]


@dataclass(frozen=True)
class Placement:
    """Where an image lies in a cell of ``cell_wh``: edge x becomes zoom * x + offset."""

    cell_wh: tuple[int, int]
    zoom_xy: tuple[float, float]
    offset_xy: tuple[float, float]
    flip: bool = False

    @classmethod
    def draw(
        cls, rng: np.random.Generator, source_wh: tuple[int, int], cell_wh: tuple[int, int]
    ) -> "Placement":
        """At random: mostly of any scale, sometimes whole."""
        if rng.random() < WHOLE_SHARE:
            zoom = min(cell_wh[0] / source_wh[0], cell_wh[1] / source_wh[1])
        else:
            scale = math.exp(rng.uniform(math.log(SCALE[0]), math.log(SCALE[1])))
            zoom = scale * max(cell_wh) / max(source_wh)
        stretch = math.exp(STRETCH * rng.normal())
        zoom_xy = (zoom * stretch, zoom / stretch)
        room = [cell_wh[axis] - zoom_xy[axis] * source_wh[axis] for axis in (0, 1)]
        left, top = (float(rng.uniform(min(0.0, free), max(0.0, free))) for free in room)
        return cls(cell_wh, zoom_xy, (left, top), bool(rng.random() < 0.5))

    def image(self, image_bgr: ImageBgr) -> ImageBgr:
        """The cell, uint8 (h, w, 3), grey where the image is not."""
        height, width = image_bgr.shape[:2]
        if max(self.zoom_xy) < SHRUNK_BELOW:
            wanted = SHRINK_MARGIN * max(self.zoom_xy)
            small_wh = max(1, round(wanted * width)), max(1, round(wanted * height))
            small = cv2.resize(image_bgr, small_wh, interpolation=cv2.INTER_AREA)
            image_bgr = np.asarray(small, dtype=np.uint8)
        zooms = (
            self.zoom_xy[0] * width / image_bgr.shape[1],
            self.zoom_xy[1] * height / image_bgr.shape[0],
        )
        # OpenCV counts from pixel centres, which lie half a pixel from the edges.
        left, top = (o + 0.5 * z - 0.5 for o, z in zip(self.offset_xy, zooms, strict=True))
        matrix = np.array([[zooms[0], 0.0, left], [0.0, zooms[1], top]])
        cell = cv2.warpAffine(image_bgr, matrix, self.cell_wh, borderValue=(GREY,) * 3)
        return np.asarray(cell[:, ::-1] if self.flip else cell, dtype=np.uint8)

    def boxes(self, boxes_xyxy: Boxes) -> Boxes:
        """Boxes (N, 4) in the cell: cut at its edges, without those that are hardly seen."""
        moved = boxes_xyxy * np.tile(self.zoom_xy, 2) + np.tile(self.offset_xy, 2)
        if self.flip:
            moved[:, [0, 2]] = self.cell_wh[0] - moved[:, [2, 0]]
        seen = clip(moved, self.cell_wh)
        visible = area(seen) / np.maximum(area(moved), 1e-6)
        large = (seen[:, 2:] - seen[:, :2]).min(axis=1, initial=np.inf) > LEAST_SIDE_PX
        return np.asarray(seen[(visible > LEAST_VISIBLE) & large])


@dataclass(frozen=True)
class Sampler:
    """Samples by number: ``sampler(i)`` is a function of the seed and i alone."""

    images: BoxedImages
    input_px: int
    mosaic: float
    seed: int

    def __call__(self, index: int) -> tuple[Pixels, Boxes]:
        """Network input (3, S, S), RGB from 0 to 1, and its boxes (N, 4) in pixels."""
        rng = np.random.Generator(np.random.Philox([self.seed, _STREAM, index]))
        side = self.input_px
        canvas = np.full((side, side, 3), GREY, np.uint8)
        boxes = [self._fill(rng, canvas, cell) for cell in self._cells(rng)]
        rgb = _recoloured(rng, canvas[:, :, ::-1].astype(np.float32))
        planes = np.clip(rgb, 0, 255).transpose(2, 0, 1) / np.float32(255)
        return np.ascontiguousarray(planes, dtype=np.float32), np.concatenate(boxes)

    def _cells(self, rng: np.random.Generator) -> list[tuple[int, int, int, int]]:
        """Left, top, right, bottom of what is filled with one image each."""
        side = self.input_px
        if rng.random() < self.mosaic:
            x, y = (int(side * value) for value in rng.uniform(*MOSAIC_CENTRE, 2))
            return [(0, 0, x, y), (x, 0, side, y), (0, y, x, side), (x, y, side, side)]
        if rng.random() < BAND_SHARE:
            height = int(side * rng.choice(BAND_RATIOS))
            top = (side - height) // 2
            return [(0, top, side, top + height)]
        return [(0, 0, side, side)]

    def _fill(
        self, rng: np.random.Generator, canvas: ImageBgr, cell: tuple[int, int, int, int]
    ) -> Boxes:
        left, top, right, bottom = cell
        image_bgr, boxes = self.images.draw(rng)
        source_wh = (image_bgr.shape[1], image_bgr.shape[0])
        place = Placement.draw(rng, source_wh, (right - left, bottom - top))
        canvas[top:bottom, left:right] = place.image(image_bgr)
        return np.asarray(place.boxes(boxes) + np.array([left, top, left, top]))


def _recoloured(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """Brightness, tint, saturation, blur and noise of (H, W, 3), 0 to 255, not yet clipped."""
    if rng.random() < 0.7:
        gains = rng.uniform(0.6, 1.4) * rng.uniform(0.9, 1.1, 3)
        rgb = rgb * gains.astype(np.float32) + np.float32(rng.uniform(-25, 25))
        if rng.random() < 0.3:
            grey = rgb.mean(axis=2, keepdims=True)
            rgb = grey + (rgb - grey) * np.float32(rng.uniform(0, 1))
    if rng.random() < 0.1:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (3, 3), rng.uniform(0.4, 1.0)), np.float32)
    if rng.random() < 0.15:
        noise = rng.standard_normal(rgb.shape, dtype=np.float32)
        rgb = rgb + noise * np.float32(rng.uniform(2, 10))
    return rgb


class DetectorTask(Task):
    """Images in, boxes out."""

    unit, file = "images", "detector.safetensors"

    def __init__(
        self, settings: DetectorSettings, device: torch.device, processes: Processes
    ) -> None:
        if processes.count > 1:
            raise UsageError("a detector is trained by one process")
        self.settings: DetectorSettings = settings
        self.device, self._images = device, read_boxed(settings)
        logger.info(f"{len(self._images)} images with {self._images.boxes} boxes")
        self._sampler = Sampler(self._images, settings.input_px, settings.mosaic, settings.seed)
        self._loss: Any = None

    def build(self) -> nn.Module:
        """A detection model of ultralytics for the one class person, channels last."""
        tasks = ultralytics()
        from ultralytics.utils import DEFAULT_CFG
        from ultralytics.utils.loss import v8DetectionLoss

        model: Any = tasks.DetectionModel(self.settings.architecture, nc=1, verbose=False)
        model.args = DEFAULT_CFG  # the gains of the loss
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(FIXED not in name)
        model.to(self.device)
        self._loss = self._loss or v8DetectionLoss(model)
        return model  # type: ignore[no-any-return]

    def is_hidden(self, name: str, parameter: nn.Parameter) -> bool:
        """Convolutions that are wide enough."""
        return parameter.ndim == 4 and min(parameter.shape[:2]) > HIDDEN_FROM

    def prepare(self, step: int, progress: float) -> Tensors:
        """Samples by number."""
        first = step * self.settings.batch
        numbers = range(first, first + self.settings.batch)
        return make_batch([self._sampler(number) for number in numbers])

    def loss(self, outputs: Any, batch: Tensors) -> Tensor:
        """Ultralytics' own, an image."""
        losses: Tensor = self._loss(outputs, batch)[0]
        return losses.sum() / len(batch["inputs"])

    def export(self, ema: nn.Module, file: Path, notes: Mapping[str, str]) -> None:
        """Half precision, with its architecture and how it came about as metadata."""
        told = {
            "classes": "person",
            "input_px": str(self.settings.input_px),
            "source": "trained by livepose train detector",
            "licence": LICENCE,
            "boxes": str(self._images.boxes),
        }
        save_detector(file, ema, {**notes, **told})

    def validate(self, file: Path, dev: SetSpec) -> Mapping[str, float]:
        """AP and AP50 through the live path."""
        return validate_detector(file, dev.images, dev.annotations, self.settings.input_px)


def make_batch(samples: Sequence[tuple[Pixels, Boxes]]) -> Tensors:
    """Samples as ultralytics' loss wants them: boxes as shares, centre and size."""
    inputs = np.stack([pixels for pixels, _ in samples])
    boxes = np.concatenate([boxes for _, boxes in samples]) / inputs.shape[-1]
    owner = np.repeat(np.arange(len(samples)), [len(boxes) for _, boxes in samples])
    xywh = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    images = torch.from_numpy(inputs).contiguous(memory_format=torch.channels_last)
    return {
        "inputs": images,
        "batch_idx": torch.from_numpy(owner).float(),
        "cls": torch.zeros(len(boxes), 1),
        "bboxes": torch.from_numpy(xywh).float(),
    }
