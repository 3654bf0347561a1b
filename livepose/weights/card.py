"""The card: everything that has to be known to use a pose network's weights.

It travels as flat strings in the metadata of the safetensors file. Reading it loads no torch.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from livepose.skeletons import SHIPPED, SKELETONS, find_skeleton, from_dict

FORMAT = "livepose-pose-1"
COLOURS = ("rgb", "bgr")
ACTIVATIONS = ("none", "softmax")
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
STRIDE = 4
MOST_BLUR = 63
"""Heatmap pixels; published networks have 17 at most."""
NOTE = "note."
SMALL_PEOPLE = "small_people_px"
OWN_SKELETON = "own_skeleton"


@dataclass(frozen=True)
class Card:
    """What a set of pose weights is and how it wants to be used.

    ``input_hw`` is rows and columns of the crop in pixels; heatmaps are a quarter of it.
    ``alignment`` says where the box falls in the crop (see ``livepose.crops``). ``blur_kernel``
    is the width of the modulation for DARK decoding and ``sigma`` the deviation of the training
    Gaussian, both in heatmap pixels. ``mean`` and ``std`` are for values 0 to 255, in the channel
    order of ``colour``, which is what the network is fed. ``activation`` "softmax" means that
    the network puts out log-heatmaps. ``sha256`` is that of the tensors, empty if unknown.
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
            find_skeleton(self.skeleton)
        except UsageError as error:
            raise WeightsError(f"the weights' {error}") from None
        joints = len(SKELETONS[self.skeleton].keypoints)
        sides = f"{LEAST_SIDE_PX} to {MOST_SIDE_PX} pixels along each side"
        fits = min(self.input_hw) >= LEAST_SIDE_PX and max(self.input_hw) <= MOST_SIDE_PX
        odd = 1 <= self.blur_kernel <= MOST_BLUR and self.blur_kernel % 2 == 1
        finite = all(map(math.isfinite, (*self.mean, *self.std)))
        checks = {
            "input_hw": (fits, sides),
            "keypoints": (self.keypoints == joints, f"{joints} for {self.skeleton}"),
            "alignment": (self.alignment in ALIGNMENTS, f"one of {', '.join(ALIGNMENTS)}"),
            "colour": (self.colour in COLOURS, f"one of {', '.join(COLOURS)}"),
            "activation": (self.activation in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}"),
            "blur_kernel": (odd, f"odd, 1 to {MOST_BLUR}"),
            "sigma": (0 < self.sigma <= MOST_BLUR, f"above 0, at most {MOST_BLUR}"),
            "mean": (finite, "finite, and so std"),
            "std": (min(self.std) > 0, "positive"),
        }
        for name, (holds, wanted) in checks.items():
            if not holds:
                got = getattr(self, name)
                got = repr(got) if isinstance(got, str) else got
                raise WeightsError(f"{name} of the weights has to be {wanted}, got {got}")

    @property
    def heatmap_hw(self) -> tuple[int, int]:
        """Rows and columns of the heatmaps."""
        return self.input_hw[0] // STRIDE, self.input_hw[1] // STRIDE

    @property
    def small_people_px(self) -> float:
        """The note of this name: people below may go through a smaller input; 0 is nobody."""
        try:
            return float(self.notes.get(SMALL_PEOPLE, 0))
        except ValueError:
            return 0.0


def size_of(card: Card) -> str:
    """``128x96``."""
    return f"{card.input_hw[0]}x{card.input_hw[1]}"


def at_size(card: Card, input_hw: tuple[int, int] | None) -> Card:
    """The card of the same weights at another size of their input; None leaves it.

    Sigma and modulation stay: networks learn peaks of so many heatmap pixels, and draw them at
    every size.

    Raises
    ------
    UsageError
        When networks do not bear the size.
    """
    if input_hw is None or tuple(input_hw) == card.input_hw:
        return card
    require_input_size(input_hw)
    notes = {name: text for name, text in card.notes.items() if name != SMALL_PEOPLE}
    return replace(card, input_hw=(input_hw[0], input_hw[1]), notes=notes)


def to_metadata(card: Card) -> dict[str, str]:
    """The card as flat strings, as safetensors stores them."""
    told = {name: getattr(card, name) for name in _PARSERS}
    triples = {name: " ".join(map(repr, told[name])) for name in ("mean", "std")}
    return {
        "format": FORMAT,
        **{name: str(value) for name, value in told.items()},
        **{"input_hw": size_of(card), "sigma": repr(card.sigma), **triples},
        **_own_skeleton(card.skeleton),
        **{NOTE + key: value for key, value in card.notes.items()},
    }


def _own_skeleton(name: str) -> dict[str, str]:
    """All of a skeleton that does not come with livepose."""
    return {} if name in SHIPPED else {OWN_SKELETON: json.dumps(SKELETONS[name].to_dict())}


def _learn_skeleton(metadata: Mapping[str, str], what: str) -> None:
    """Makes the skeleton known that a card brings along."""
    if OWN_SKELETON not in metadata:
        return
    try:
        told = json.loads(metadata[OWN_SKELETON])
        SKELETONS.add(from_dict(told if isinstance(told, dict) else {}, what), what)
    except ValueError as error:  # no JSON, or no skeleton
        raise WeightsError(f"the card of {what} has a wrong {OWN_SKELETON!r}: {error}") from None


def from_metadata(metadata: Mapping[str, str], what: str) -> Card:
    """The card out of flat strings; ``what`` names the file in errors.

    Raises
    ------
    WeightsError
        If an entry is missing or is not what it should be.
    """
    if metadata.get("format") != FORMAT:
        raise WeightsError(
            f"{what} has no card of livepose pose weights (format {FORMAT!r} expected, got "
            f"{metadata.get('format')!r}); bring other people's files in with "
            "'livepose weights import FILE'"
        )
    _learn_skeleton(metadata, what)
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        try:
            values[name] = parse(metadata[name])
        except KeyError:
            raise WeightsError(f"the card of {what} lacks {name!r}") from None
        except ValueError as error:
            raise WeightsError(f"the card of {what} has a wrong {name!r}: {error}") from None
    notes = {key[len(NOTE) :]: text for key, text in metadata.items() if key.startswith(NOTE)}
    return Card(**values, notes=notes)


def _triple(text: str) -> tuple[float, float, float]:
    red, green, blue = (float(part) for part in text.split())
    return red, green, blue


_PARSERS: dict[str, Callable[[str], object]] = {
    "network": str,
    "input_hw": parse_size,
    "skeleton": str,
    "keypoints": int,
    "alignment": str,
    "blur_kernel": int,
    "sigma": float,
    "colour": str,
    "mean": _triple,
    "std": _triple,
    "activation": str,
    "source": str,
    "licence": str,
    "sha256": str,
}


def read_metadata(path: Path) -> dict[str, str]:
    """The flat strings of any safetensors file; the tensors stay on disk.

    Raises
    ------
    WeightsError
        If the file is missing, cut short or something else.
    """
    require_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise broken(path, error) from None


def read_card(path: Path) -> Card:
    """The card of a pose weights file, without loading its tensors."""
    return from_metadata(read_metadata(path), path.name)


def require_file(path: Path) -> None:
    """Raises WeightsError if there is no ordinary file here."""
    if is_folder(path):
        raise WeightsError(f"{path} is a folder; a weights file was expected")
    if not is_file(path):
        raise WeightsError(f"there is no weights file {path}")


def broken(path: Path, error: Exception) -> WeightsError:
    """The sentence for a file that does not open as safetensors."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return WeightsError(
        f"{path} is not a readable safetensors file ({reason}); it is damaged or cut short, or a "
        "torch file, which 'livepose weights import FILE' brings in"
    )
