"""Evaluation: how accurate livepose is, in the very configuration that runs live.

``archive`` and ``dataset`` read a set and check all of it; ``predict`` runs the estimator
of the live pipeline over it once and decodes it in several ways; ``metrics`` scores;
``speed`` says what it takes; ``run`` is the command and ``report`` its tables; ``validation`` is
for training. What can be chosen about an evaluation is here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from livepose.settings import DECODINGS, ONE, PRECISIONS, RUNTIMES, option, parse_input_size

Progress = Callable[[str, int], Callable[[int], None]]
"""Starts a progress bar of that name and length; the result is told what is done."""


def decoder_names(text: str, known: Sequence[str] = DECODINGS) -> tuple[str, ...]:
    """``dark,shift`` as names; ValueError when one does not exist."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names or not set(names) <= set(known):
        raise ValueError(f"expected some of {', '.join(known)}, got {text!r}")
    return names


@dataclass(frozen=True)
class EvaluationSettings:
    """What is measured, and how."""

    images: Path = option(help="the images", metavar="DIR|ZIP")
    annotations: Path = option(help="the people in them", metavar="FILE")
    weights: str = option("default", "a name or a file")
    boxes: str = "gt"
    decoders: tuple[str, ...] = option(
        ("dark",), "by commas: dark (default), shift, argmax, integral",
        flag="--decode", metavar="NAMES", parse=decoder_names, nargs=ONE,
    )  # fmt: skip
    flip_test: bool = option(False, "average with the mirror image")
    input_hw: tuple[int, int] | None = option(
        None, "such as 128x96; default: what the weights were trained for",
        flag="--input", metavar="HxW", parse=parse_input_size,
    )  # fmt: skip
    runtime: str = option("auto", "what runs the network", choices=RUNTIMES)
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps")
    precision: str = option("auto", "of the network", choices=PRECISIONS)
    detector: str = "auto"
    detector_threshold: float = 0.05  # AP looks at the whole curve, so low
    limit: int | None = option(None, "images at most", metavar="N", least=1)
    workers: int = option(2, "threads that read images", metavar="N", least=1)
    speed: bool = option(True, "accuracy only")

    def by_boxes(self) -> "list[EvaluationSettings]":
        """The same for each kind of boxes alone, end to end first."""
        kinds = sorted(dict.fromkeys(self.boxes.split(",")), key=lambda kind: kind == "gt")
        return [replace(self, boxes=kind) for kind in kinds]

    @property
    def boxes_name(self) -> str:
        """Whose boxes, for tables."""
        return {"gt": "annotated", "detector": "detector's"}.get(self.boxes, Path(self.boxes).name)


@dataclass(frozen=True)
class CocoSettings(EvaluationSettings):
    """What is measured on COCO, and how."""

    boxes: str = option(
        "detector,gt", "detected (end to end), annotated, of a file; several by commas",
        metavar="detector|gt|FILE,...",
    )  # fmt: skip
    detector: str = option("auto", "for detected boxes")
    detector_threshold: float = option(0.05, "lowest score of a box", metavar="S", least=0)


def no_progress(name: str, total: int) -> Callable[[int], None]:
    """Nobody watches."""
    return lambda count: None
