"""What a detector's file holds, read without running any of it; our own without torch.

Metadata of our own (safetensors): ``architecture`` (ultralytics' model description as JSON),
``classes`` (names, comma-separated), ``input_px`` (longer side it was trained for), ``source``, and
what else the writer adds.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from livepose.errors import WeightsError
from livepose.weights.arrays import Arrays, load_arrays
from livepose.weights.card import read_metadata

LEAST_INPUT_PX, MOST_INPUT_PX = 32, 4096


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """What a network answers: ``person`` is the index of that class among so many ``classes``.

    ``input_px`` is the longer side that the file recommends.
    """

    person: int
    classes: int
    input_px: int | None = None

    def __post_init__(self) -> None:
        """Refuses an input that no detector has, before memory for it is asked for."""
        if self.input_px is not None and not LEAST_INPUT_PX <= self.input_px <= MOST_INPUT_PX:
            raise WeightsError(
                f"input_px of the detector has to be {LEAST_INPUT_PX} to {MOST_INPUT_PX}, "
                f"got {self.input_px}"
            )


@dataclass(frozen=True)
class StoredDetector:
    """Tensors as they were stored, and architecture of a file.

    ``kind`` is the class of the model in ultralytics.
    """

    kind: str
    tensors: Arrays
    architecture: Any
    info: DetectorInfo


def read_stored(path: Path) -> StoredDetector:
    """A .safetensors file of ours or a .pt file of ultralytics.

    WeightsError when the file is missing, broken, unsafe or no detector of persons.
    """
    if path.suffix == ".pt":
        require_torch(path)
        from livepose.detection.checkpoint import read_pickled

        return read_pickled(path)
    told = read_metadata(path)
    try:
        architecture, input_px = json.loads(told["architecture"]), int(told["input_px"])
        names = dict(enumerate(told["classes"].split(",")))
        classes = int(architecture["nc"])
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} holds no detector: its metadata lack or garble {error}; a pose network goes "
            "to --weights"
        ) from None
    info = DetectorInfo(person_class(names, path), classes, input_px)
    return StoredDetector("DetectionModel", load_arrays(path), architecture, info)


def person_class(names: Mapping[int, str], path: Path) -> int:
    """Index of the class person; WeightsError when there is none."""
    for index, name in names.items():
        if name == "person":
            return index
    known = ", ".join(list(names.values())[:5]) or "nothing"
    raise WeightsError(f"{path} does not detect persons; it knows {known}")


def exported_person(path: Path) -> int:
    """Index of the class person by the metadata.yaml that ultralytics writes beside an export.

    Without one the first class is taken for person, as in COCO. WeightsError when there is none.
    """
    try:
        told = path.with_name("metadata.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return 0
    task = re.search(r"^task: *(\w+)", told, re.M)
    if task and task[1] != "detect":
        raise WeightsError(f"{path.parent} holds a {task[1]} network; wanted: detect")
    names = re.findall(r"^ +(\d{1,4}): *['\"]?([^'\"\n]*)", told, re.M)
    return person_class({int(index): name.strip() for index, name in names}, path)


def has_torch() -> bool:
    """Whether torch and ultralytics are installed; neither is loaded."""
    return find_spec("torch") is not None and find_spec("ultralytics") is not None


def require_torch(path: Path) -> None:
    """WeightsError where torch and ultralytics, which alone can read this file, are not there."""
    if not has_torch():
        raise WeightsError(
            f"{path.name} needs torch and ultralytics; install them with "
            "pip install 'livepose[torch]', or use --detector embedded"
        )
