"""The card of somebody else's ONNX or OpenVINO network: a TOML file of the same name beside it.

For ``network.onnx`` or ``network.xml`` it is ``network.toml``::

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

Only ``input`` has to be there; the rest is as in ``Card``.
"""

import tomllib
from pathlib import Path
from typing import Any

from livepose.errors import UsageError, WeightsError
from livepose.settings import parse_size
from livepose.skeletons import SKELETONS
from livepose.weights.card import Card, require_file
from livepose.weights.places import SUFFIX

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
    _check(values, path)
    return _card(values, network_path, path)


def _check(values: dict[str, Any], path: Path) -> None:
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


def _card(values: dict[str, Any], network_path: Path, path: Path) -> Card:
    try:
        input_hw = parse_size(values.pop("input"))
        skeleton = SKELETONS[_beside(path, values.pop("skeleton", "coco17"))]
    except (ValueError, UsageError) as error:
        raise WeightsError(f"{path}: {error}") from None
    sigma = float(values.pop("sigma", 1.0))
    network = network_path.suffix.lower().lstrip(".").replace("xml", "openvino")
    keypoints = len(skeleton.keypoints)
    return Card(network, input_hw, skeleton.name, keypoints, sigma=sigma, **values)


def _beside(path: Path, skeleton: str) -> str:
    """The skeleton's file as named in ``path``, from whose folder a relative name counts."""
    return str(path.parent / skeleton) if skeleton.endswith(".toml") else skeleton


def is_third_party(path: Path) -> bool:
    """Whether this is an ONNX or OpenVINO file rather than livepose's own form."""
    return path.suffix.lower() != SUFFIX
