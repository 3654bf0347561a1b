"""Files of ranges: what INT8 has to know of a network beside its weights.

``network.int8.json`` lies beside ``network.safetensors``. It says within which limits the numbers
that enter each convolution lie, measured on real images, for which weights that is so, and what
it cost in accuracy. Weights that it was not made for are never run with it.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from livepose.errors import WeightsError
from livepose.files import write_whole
from livepose.paths import is_file

_FORMAT = "livepose-int8-1"


class RangesError(WeightsError):
    """Ranges that are missing, damaged, or made for other weights: without INT8 all runs."""


@dataclass(frozen=True)
class ActivationRanges:
    """Lowest and highest number that enters each convolution, by its name in the network.

    ``weights_sha256`` is that of the weights' card; ``measured`` is for readers.
    """

    weights_sha256: str
    limits: Mapping[str, tuple[float, float]]
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A name for these limits."""
        limits = json.dumps(sorted(self.limits.items()))
        return hashlib.sha256(limits.encode()).hexdigest()[:16]


def ranges_path(weights: Path) -> Path:
    """Where the ranges of a weights file lie."""
    return weights.with_name(weights.stem + ".int8.json")


def read_ranges(weights: Path, sha256: str) -> ActivationRanges:
    """The ranges beside a weights file whose tensors have this hash.

    RangesError when there are none, or they are damaged or were made for other weights.
    """
    path = ranges_path(weights)
    remedy = f"make it with 'livepose quantise --weights {weights}', or use --precision f32"
    if not is_file(path):
        raise RangesError(f"precision int8 needs {path.name} beside {weights.name}; {remedy}")
    try:
        ranges = _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{path} is no readable file of INT8 ranges ({error!r})"
        raise RangesError(f"{reason}; {remedy}") from None
    if not sha256 or ranges.weights_sha256 != sha256:
        raise RangesError(
            f"{path.name} was made for other weights (it says {ranges.weights_sha256[:12]}, "
            f"{weights.name} has {sha256[:12] or 'no hash'}); {remedy}"
        )
    return ranges


def _parsed(document: Any) -> ActivationRanges:
    if document["format"] != _FORMAT:
        raise ValueError(f"format {_FORMAT!r} expected, got {document['format']!r}")
    limits = {}
    for name, (low, high) in document["ranges"].items():
        if not -math.inf < low <= 0 < high < math.inf:
            raise ValueError(f"a range has to hold 0, got {low} to {high}")
        limits[str(name)] = float(low), float(high)
    if not limits:
        raise ValueError("it holds no ranges")
    return ActivationRanges(str(document["weights_sha256"]), limits, document["measured"])


def write_ranges(path: Path, ranges: ActivationRanges) -> None:
    """Writes one range a line, so that a change can be read."""
    rows = [f"    {json.dumps(name)}: {json.dumps(pair)}" for name, pair in ranges.limits.items()]
    document = {
        "format": _FORMAT,
        "weights_sha256": ranges.weights_sha256,
        "measured": dict(ranges.measured),
        "ranges": "@",
    }
    text = json.dumps(document, indent=2).replace('"@"', "{\n" + ",\n".join(rows) + "\n  }")
    write_whole(path, (text + "\n").encode())
