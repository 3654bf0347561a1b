"""The card: everything that has to be known to use a pose network's weights.

It travels as flat strings in the metadata of the safetensors file; for somebody else's ONNX or
OpenVINO network, ``network.onnx`` or ``network.xml``, it is ``network.toml`` beside it::

    input = "128x96"          # height x width of the crop
    skeleton = "coco17"       # or a file of your own, see livepose.skeletons
    alignment = "hrnet"       # where the box falls in the crop, see livepose.crops
    blur_kernel = 3           # modulation width for DARK decoding, heatmap pixels
    sigma = 1.0               # of the training Gaussian, heatmap pixels
    colour = "rgb"            # or "bgr": channel order of the network's input
    mean = [123.675, 116.28, 103.53]   # of values 0 to 255, in that channel order
    std = [58.395, 57.12, 57.375]
    activation = "none"       # or "softmax" for log-heatmaps
    source = "where it is from"
    licence = "Apache-2.0"

Only ``input`` has to be there; the rest is as in ``Card``. Reading a card loads no torch.
"""

import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from livepose.errors import UsageError, WeightsError
from livepose.paths import is_file, is_folder
from livepose.settings import (
    ALIGNMENTS,
    LEAST_SIDE_PX,
    MOST_SIDE_PX,
    parse_size,
    require_input_size,
)
from livepose.skeletons import SHIPPED, SKELETONS, from_dict
from livepose.weights.places import SUFFIX

FORMAT = "livepose-pose-1"
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
STRIDE = 4
_MOST_BLUR = 63
"""Heatmap pixels; published networks have 17 at most."""
_NOTE = "note."
_OWN_SKELETON = "own_skeleton"


@dataclass(frozen=True)
class Card:
    """What a set of pose weights is and how it wants to be used.

    ``input_hw`` is rows and columns of the crop in pixels; heatmaps are a quarter of it. The rest
    is as above. ``sha256`` is that of the tensors, empty if unknown.
    """

    network: str
    input_hw: tuple[int, int]
    skeleton: str = "coco17"
    keypoints: int = 17
    alignment: str = "pixel_centre"
    blur_kernel: int = 3
    sigma: float = 1.0
    colour: str = "rgb"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    activation: str = "none"
    source: str = ""
    licence: str = ""
    sha256: str = ""
    notes: dict[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuses what cannot be: a clear sentence now instead of wrong keypoints later."""
        try:
            joints = len(SKELETONS[self.skeleton].keypoints)
        except UsageError as error:
            raise WeightsError(f"the weights' {error}") from None
        sides = f"{LEAST_SIDE_PX} to {MOST_SIDE_PX} pixels along each side"
        for name, wanted, holds in (
            ("input_hw", sides, all(LEAST_SIDE_PX <= px <= MOST_SIDE_PX for px in self.input_hw)),
            ("keypoints", f"{joints} for {self.skeleton}", self.keypoints == joints),
            ("alignment", f"one of {', '.join(ALIGNMENTS)}", self.alignment in ALIGNMENTS),
            ("colour", "rgb or bgr", self.colour in ("rgb", "bgr")),
            ("activation", "none or softmax", self.activation in ("none", "softmax")),
            ("blur_kernel", f"odd, 1 to {_MOST_BLUR}", self.blur_kernel in range(1, 64, 2)),
            ("sigma", f"above 0, at most {_MOST_BLUR}", 0 < self.sigma <= _MOST_BLUR),
            ("mean", "finite", all(map(math.isfinite, self.mean))),
            ("std", "finite and positive", all(0 < one < math.inf for one in self.std)),
        ):
            if not holds:
                got = getattr(self, name)
                raise WeightsError(f"{name} of the weights has to be {wanted}, got {got!r}")

    @property
    def heatmap_hw(self) -> tuple[int, int]:
        """Rows and columns of the heatmaps."""
        return self.input_hw[0] // STRIDE, self.input_hw[1] // STRIDE


def size_of(card: Card) -> str:
    """``128x96``."""
    return f"{card.input_hw[0]}x{card.input_hw[1]}"


def at_size(card: Card, input_hw: tuple[int, int] | None) -> Card:
    """The card of the same weights at another size of their input; None leaves it.

    Sigma and modulation stay: networks learn peaks of so many heatmap pixels, and draw them at
    every size. UsageError when networks do not bear the size.
    """
    if input_hw is None or input_hw == card.input_hw:
        return card
    require_input_size(input_hw)
    return replace(card, input_hw=input_hw)


def to_metadata(card: Card) -> dict[str, str]:
    """The card as flat strings, as safetensors stores them."""
    told = {name: str(getattr(card, name)) for name in _PARSERS}
    told |= {name: " ".join(map(repr, getattr(card, name))) for name in ("mean", "std")}
    told |= {"format": FORMAT, "input_hw": size_of(card)}
    if card.skeleton not in SHIPPED:
        told[_OWN_SKELETON] = json.dumps(SKELETONS[card.skeleton].to_dict())
    return told | {_NOTE + key: value for key, value in card.notes.items()}


def from_metadata(metadata: Mapping[str, str], what: str) -> Card:
    """The card out of flat strings; ``what`` names the file in errors.

    WeightsError if an entry is missing or is not what it should be.
    """
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{what} has no card of livepose pose weights (format {FORMAT!r} expected, got "
            f"{metadata.get('format')!r}); bring other people's files in with "
            "'livepose weights import FILE'"
        )
    if missing := [name for name in _PARSERS if name not in metadata]:
        raise WeightsError(f"the card of {what} lacks {missing[0]!r}")
    _parsed(metadata, {_OWN_SKELETON: _learned}, what)  # first, as the card names it
    notes = {key[len(_NOTE) :]: text for key, text in metadata.items() if key.startswith(_NOTE)}
    return Card(**_parsed(metadata, _PARSERS, what), notes=notes)


def _learned(text: str) -> None:
    """Makes the skeleton known that a card brings along."""
    told = json.loads(text)
    SKELETONS.add(from_dict(told if isinstance(told, dict) else {}, "its skeleton"), "it")


def _triple(text: str) -> tuple[float, float, float]:
    red, green, blue = map(float, text.split())
    return red, green, blue


Parsers = Mapping[str, Callable[[str], object]]
_PARSERS: Parsers = {
    **{entry.name: str for entry in fields(Card) if entry.name != "notes"},
    **{"input_hw": parse_size, "keypoints": int, "blur_kernel": int, "sigma": float},
    **{"mean": _triple, "std": _triple},
}
_WANTED: dict[Any, str] = {int: "a whole number", float: "a number", _triple: "three numbers"}


def _parsed(told: Mapping[str, str], parsers: Parsers, what: str) -> dict[str, Any]:
    """The entries that are there, as values; WeightsError says which one cannot be read."""
    values = {}
    for name in [one for one in parsers if one in told]:
        try:
            values[name] = parsers[name](told[name])
        except (ValueError, RecursionError) as error:
            wanted = _WANTED.get(parsers[name])
            reason = f"expected {wanted}, got {told[name]!r:.60}" if wanted else error
            raise WeightsError(f"the card of {what} has a wrong {name!r}: {reason}") from None
    return values


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file; WeightsError if it is missing, cut short or something else."""
    require_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            yield file
    except (SafetensorError, OSError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise WeightsError(
            f"{path} is not a readable safetensors file ({reason}); it is damaged or cut short, or "
            "a torch file, which 'livepose weights import FILE' brings in"
        ) from None


def read_metadata(path: Path) -> dict[str, str]:
    """The flat strings of any safetensors file; the tensors stay on disk."""
    with opened(path) as file:
        return dict(file.metadata() or {})


def read_card(path: Path) -> Card:
    """The card of any pose network: from its metadata, or from the file beside a third party's.

    WeightsError if the file or its card is missing or broken.
    """
    if is_third_party(path):
        return _read_model_config(path)
    return from_metadata(read_metadata(path), path.name)


def require_file(path: Path) -> None:
    """Raises WeightsError if there is no ordinary file here."""
    if is_folder(path):
        raise WeightsError(f"{path} is a folder; a weights file was expected")
    if not is_file(path):
        raise WeightsError(f"there is no weights file {path}")


def is_third_party(path: Path) -> bool:
    """Whether this is an ONNX or OpenVINO file rather than livepose's own form."""
    return path.suffix.lower() != SUFFIX


_NOT_CONFIGURED = ("network", "input_hw", "keypoints", "sha256")
_CONFIG = {"input": parse_size} | {n: p for n, p in _PARSERS.items() if n not in _NOT_CONFIGURED}
"""What the file beside a third party's network may say."""


def _read_model_config(network_path: Path) -> Card:
    """The card beside an ONNX or OpenVINO file."""
    require_file(network_path)
    path = network_path.with_suffix(".toml")
    if not path.is_file():
        raise WeightsError(
            f"{network_path.name} needs a file {path.name} beside it that says how it wants its "
            'crops: at least input = "128x96" (height x width), usually also alignment, colour, '
            "mean, std and blur_kernel"
        )
    try:
        told = {
            name: " ".join(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items()
        }
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WeightsError(f"{path} is not readable TOML: {error}") from None
    if unknown := [name for name in told if name not in _CONFIG]:
        raise WeightsError(f"{path} has an entry {unknown[0]!r}; known are {', '.join(_CONFIG)}")
    if "input" not in told:
        raise WeightsError(f'{path} lacks the size of the crop, for instance input = "128x96"')
    values = _parsed(told, _CONFIG, str(path))
    skeleton = values.get("skeleton", "coco17")
    if skeleton.endswith(".toml"):  # a relative name counts from the folder of the model config
        skeleton = str(path.parent / skeleton)
    try:
        found = SKELETONS[skeleton]
    except UsageError as error:
        raise WeightsError(f"{path}: {error}") from None
    values |= {"skeleton": found.name, "keypoints": len(found.keypoints)}
    network = network_path.suffix.lower().lstrip(".").replace("xml", "openvino")
    return Card(network, values.pop("input"), **values)
