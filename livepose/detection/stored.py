"""What a detector's file holds, read without running any of it; our own without torch.

Metadata of our own (safetensors): ``architecture`` (ultralytics' model description as JSON),
``classes`` (names, comma-separated), ``input_px`` (longer side it was trained for), ``source``, and
what else the writer adds.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from livepose.detection.protocol import DetectorInfo, person_class
from livepose.errors import WeightsError
from livepose.weights.arrays import load_arrays, require_stated
from livepose.weights.card import read_metadata


@dataclass(frozen=True)
class StoredDetector:
    """Tensors (NumPy's or torch's) as they were stored, architecture and class names of a file.

    ``kind`` is the class of the model in ultralytics.
    """

    kind: str
    tensors: Mapping[str, Any]
    architecture: Any
    names: Mapping[int, str]
    input_px: int | None = None

    def info(self, path: Path) -> DetectorInfo:
        """What the network answers; WeightsError when it does not know persons."""
        person = person_class(self.names, path)
        return DetectorInfo(person, int(self.architecture["nc"]), self.input_px)


def read_stored(path: Path) -> StoredDetector:
    """A .safetensors file of ours or a .pt file of ultralytics.

    WeightsError when the file is missing, broken, unsafe or something else than a detector.
    """
    if path.suffix == ".pt":
        require_torch(path)
        from livepose.detection.pickled import read_pickled

        return read_pickled(path)
    told = read_metadata(path)
    try:
        architecture, input_px = json.loads(told["architecture"]), int(told["input_px"])
        names = dict(enumerate(told["classes"].split(",")))
        int(architecture["nc"])
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} holds no detector: its metadata lack or garble {error}; a pose network goes "
            "to --weights"
        ) from None
    tensors = load_arrays(path)
    require_stated(tensors, told.get("sha256", ""), path)
    return StoredDetector("DetectionModel", tensors, architecture, names, input_px)


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
