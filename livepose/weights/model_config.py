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

_TYPES: dict[str, type | tuple[type, ...]] = {
    "input": str,
    "skeleton": str,
    "alignment": str,
    "blur_kernel": int,
    "sigma": (int, float),
    "colour": str,
    "mean": list,
    "std": list,
    "activation": str,
    "source": str,
    "licence": str,
}


def read_model_config(network_path: Path) -> Card:
    """The card beside an ONNX or OpenVINO file.

    Raises
    ------
    WeightsError
        If either file is missing, or the model config says something that cannot be.
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
    for name in ("mean", "std"):
        if name in values and not _is_triple(values[name]):
            raise WeightsError(f"{path}: {name!r} has to be three numbers, got {values[name]!r}")
    if "input" not in values:
        raise WeightsError(f'{path} lacks the size of the crop, for instance input = "128x96"')


def _is_triple(values: list[object]) -> bool:
    return len(values) == 3 and all(isinstance(value, int | float) for value in values)


def _card(values: dict[str, Any], network_path: Path, path: Path) -> Card:
    try:
        input_hw = parse_size(values.pop("input"))
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from None
    for name in ("mean", "std"):
        if name in values:
            values[name] = tuple(float(value) for value in values[name])
    if "sigma" in values:
        values["sigma"] = float(values["sigma"])
    try:
        skeleton = SKELETONS[_beside(path, values.get("skeleton", "coco17"))]
    except UsageError as error:
        raise WeightsError(f"{path}: {error}") from None
    values["skeleton"], keypoints = skeleton.name, len(skeleton.keypoints)
    network = network_path.suffix.lower().lstrip(".").replace("xml", "openvino")
    return Card(network=network, input_hw=input_hw, keypoints=keypoints, **values)


def _beside(path: Path, skeleton: str) -> str:
    """The skeleton's file as named in ``path``, from whose folder a relative name counts."""
    return str(path.parent / skeleton) if skeleton.endswith(".toml") else skeleton


def is_third_party(path: Path) -> bool:
    """Whether this is an ONNX or OpenVINO file rather than livepose's own form."""
    return path.suffix.lower() != SUFFIX
