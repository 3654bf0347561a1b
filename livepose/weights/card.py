"""The card: everything that has to be known to use a pose network's weights.

It travels as flat strings in the metadata of the safetensors file; for somebody else's ONNX or
OpenVINO network, ``network.onnx`` or ``network.xml``, it is ``network.toml`` beside it::

    input = "128x96"          # height x width of the crop
    skeleton = "coco17"       # or a file of your own, see livepose.skeletons
    alignment = "hrnet"       # pixel_centre | hrnet | dark | udp
    blur_kernel = 3           # modulation width for DARK decoding, heatmap pixels
    sigma = 1.0               # of the training Gaussian, heatmap pixels
    colour = "rgb"            # channel order of the network's input
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
from functools import partial
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
from livepose.weights.places import SUFFIX

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
    every size. UsageError when networks do not bear the size.
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
    own = card.skeleton not in SHIPPED
    return {
        "format": FORMAT,
        **{name: str(value) for name, value in told.items()},
        **{"input_hw": size_of(card), "sigma": repr(card.sigma), **triples},
        **({OWN_SKELETON: json.dumps(SKELETONS[card.skeleton].to_dict())} if own else {}),
        **{NOTE + key: value for key, value in card.notes.items()},
    }


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
    values: dict[str, Any] = {}
    learn: dict[str, Callable[[str], object]] = {OWN_SKELETON: partial(_learn_skeleton, what)}
    for name, parse in {**learn, **_PARSERS}.items():
        try:
            values[name] = parse(metadata[name])
        except KeyError:
            if name != OWN_SKELETON:
                raise WeightsError(f"the card of {what} lacks {name!r}") from None
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"the card of {what} has a wrong {name!r}: {error}") from None
    values.pop(OWN_SKELETON, None)
    notes = {key[len(NOTE) :]: text for key, text in metadata.items() if key.startswith(NOTE)}
    return Card(**values, notes=notes)


def _learn_skeleton(what: str, text: str) -> None:
    """Makes the skeleton known that a card brings along."""
    told = json.loads(text)
    SKELETONS.add(from_dict(told if isinstance(told, dict) else {}, what), what)


def _triple(text: str) -> tuple[float, float, float]:
    red, green, blue = (float(part) for part in text.split())
    return red, green, blue


_PARSERS: dict[str, Callable[[str], object]] = {
    **{entry.name: str for entry in fields(Card) if entry.name != "notes"},
    **{"input_hw": parse_size, "keypoints": int, "blur_kernel": int, "sigma": float},
    **{"mean": _triple, "std": _triple},
}


@contextmanager
def opened(path: Path, framework: str = "numpy") -> Iterator[Any]:
    """A safetensors file; WeightsError if it is missing, cut short or something else."""
    require_file(path)
    try:
        with safe_open(path, framework=framework) as file:
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
        return read_model_config(path)
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


_TEXTS = ("input", "skeleton", "alignment", "colour", "activation", "source", "licence")
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_TEXTS, (str,)),
    **{"blur_kernel": (int,), "sigma": (int, float), "mean": (list,), "std": (list,)},
}


def read_model_config(network_path: Path) -> Card:
    """The card beside an ONNX or OpenVINO file.

    WeightsError if either file is missing, or the model config says something that cannot be.
    """
    require_file(network_path)
    path = network_path.with_suffix(".toml")
    if not path.is_file():
        raise WeightsError(
            f"{network_path.name} needs a file {path.name} beside it that says how it wants its "
            'crops: at least input = "128x96" (height x width), usually also alignment, colour, '
            "mean, std and blur_kernel"
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WeightsError(f"{path} is not readable TOML: {error}") from None
    for name, value in values.items():
        if name not in _TYPES:
            raise WeightsError(f"{path} has an entry {name!r}; known are {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise WeightsError(f"{path}: {name!r} has a wrong type, got {value!r}")
        if isinstance(value, list):
            if len(value) != 3 or not all(isinstance(one, int | float) for one in value):
                raise WeightsError(f"{path}: {name!r} has to be three numbers, got {value!r}")
            values[name] = tuple(map(float, value))
    if "input" not in values:
        raise WeightsError(f'{path} lacks the size of the crop, for instance input = "128x96"')
    return _third_party_card(values, network_path, path)


def _third_party_card(values: dict[str, Any], network_path: Path, path: Path) -> Card:
    skeleton = values.pop("skeleton", "coco17")
    if skeleton.endswith(".toml"):  # a relative name counts from the folder of the model config
        skeleton = str(path.parent / skeleton)
    try:
        input_hw, known = parse_size(values.pop("input")), SKELETONS[skeleton]
    except (ValueError, UsageError) as error:
        raise WeightsError(f"{path}: {error}") from None
    network = network_path.suffix.lower().lstrip(".").replace("xml", "openvino")
    sigma = float(values.pop("sigma", 1.0))
    return Card(network, input_hw, known.name, len(known.keypoints), sigma=sigma, **values)
