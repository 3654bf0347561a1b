"""Other people's checkpoints into livepose's form."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.settings import parse_size
from livepose.weights.arrays import require_usable
from livepose.weights.card import Card
from livepose.weights.checkpoint import check_state, identify, save_checkpoint
from livepose.weights.manifest import FAMILIES, card_for, find_known
from livepose.weights.places import SUFFIX, cached_weights_folder
from livepose.weights.torch_file import arrays_of, open_torch_file

_MMPOSE_PREFIXES = re.compile(r"(backbone|keypoint_head|head)\.")
State = dict[str, NDArray[Any]]


def import_checkpoint(
    path: str | Path,
    *,
    family: str | None = None,
    input_hw: tuple[int, int] | None = None,
    network: str | None = None,
    keypoints: int | None = None,
    output: str | Path | None = None,
) -> tuple[Path, Card]:
    """Reads a published checkpoint, checks it and writes it as safetensors with a card.

    Network and keypoints are detected; given ones are what the file has to be. ``family`` and
    ``input_hw`` are needed where neither the file nor its name tells them. Without ``output`` the
    file goes to the cache, where its stem is its name. Returns where it is, and its card.
    WeightsError if the file is unsafe, broken, unknown, ambiguous, or not what was wanted.
    """
    path = Path(path)
    content = open_torch_file(path)
    state = unwrap(content, path)
    is_mmpose = any(name.startswith("backbone.") for name in state)
    if is_mmpose:
        state = _official(state, path)
    network_name, count, what = identify(state)
    if network_name is None or count is None:
        raise WeightsError(f"{path.name} is {what}; HRNet-W32, W48 or ResNet wanted")
    settings, known = _settings(content), find_known(path.name)
    found_hw = _size(path, settings)
    for given, found, words in (
        (network, network_name, f"network {network}"),
        (keypoints, count, f"{keypoints} keypoints"),
        (input_hw, found_hw or input_hw, "input size {}x{}".format(*input_hw or ("", ""))),
    ):
        if given not in (None, found):
            size = " for {}x{}".format(*found_hw) if found_hw else ""
            raise WeightsError(f"{path.name} is {what}{size}; {words} wanted")
    input_hw = input_hw or found_hw
    if input_hw is None:
        raise WeightsError(
            f"{path.name} does not say for which input size it was trained; give it as "
            "HEIGHTxWIDTH, for instance --input 128x96"
        )
    family = family or (known.family if known else _family(path, settings, is_mmpose, input_hw))
    if family is None:
        raise WeightsError(
            f"{path.name} is {what}, but HRNet's and DarkPose's files look alike and "
            f"place people differently; say which it is with --family ({', '.join(FAMILIES)})"
        )
    if is_mmpose != family.startswith("mmpose") and family in FAMILIES:
        layout = "mmpose" if is_mmpose else "official"
        raise WeightsError(f"{path.name} has {layout} names; family {family} was given")
    source = (known.url or known.folder) if known else path.name
    card = card_for(family, network_name, count, input_hw, source=source)
    with torch.device("meta"):  # names and shapes alone
        built = build_network(network_name, count)
    check_state(state, built, f"{network_name} with {count} keypoints", path.name)
    require_usable(state, path.name)
    stem = re.sub(r"(\.(pth|pt|tar|ckpt|bin))+$", "", path.name, flags=re.IGNORECASE)
    target = Path(output) if output else cached_weights_folder() / (stem + SUFFIX)
    return target, save_checkpoint(target, state, card)


def unwrap(content: object, path: Path) -> State:
    """The state dict out of a bare file or a training checkpoint, without ``module.`` prefix.

    WeightsError if there is none, or it claims more than any network has.
    """
    held = content if isinstance(content, Mapping) else {}
    nested = (held.get(key) for key in ("best_state_dict", "state_dict"))
    state = next((one for one in nested if isinstance(one, Mapping)), held)
    if not state or not all(
        isinstance(name, str) and isinstance(one, Tensor) for name, one in state.items()
    ):
        got = f"a {type(content).__name__}"
        if isinstance(content, Mapping):
            got = f"entries {', '.join(map(str, list(held)[:5]))}" if held else "nothing"
        raise WeightsError(
            f"{path} holds no state dict; names with tensors were expected, got {got}"
        )
    prefix = "module." if all(name.startswith("module.") for name in state) else ""
    return arrays_of({name.removeprefix(prefix): one for name, one in state.items()}, path)


def _official(state: State, path: Path) -> State:
    """MMPose's names as the official ones."""
    state = {name: one for name, one in state.items() if not name.startswith("data_preprocessor.")}
    if others := [name for name in state if not _MMPOSE_PREFIXES.match(name)]:
        raise WeightsError(
            f"{path.name} has an entry {others[0]} that is neither backbone nor head of an MMPose "
            "heatmap network; only top-down heatmap networks can be brought in"
        )
    return {_MMPOSE_PREFIXES.sub("", name, count=1): one for name, one in state.items()}


def _settings(content: object) -> str:
    """The training settings that MMPose stores as text, in lower case and without spaces."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    texts = [meta.get(name) for name in ("cfg", "config")] if isinstance(meta, Mapping) else []
    return re.sub(r"\s", "", "".join(one for one in texts if isinstance(one, str))).lower()


def _family(path: Path, settings: str, is_mmpose: bool, input_hw: tuple[int, int]) -> str | None:
    hints = path.name.lower() + settings
    if is_mmpose:
        return "mmpose-udp" if "udp" in hints else "mmpose"
    # Of the official projects only DarkPose trained for 128x96.
    return "dark" if "dark" in hints or input_hw == (128, 96) else None


def _size(path: Path, settings: str) -> tuple[int, int] | None:
    """Input size from the file's name, else from its settings."""
    if named := re.search(r"(?<!\d)(\d{2,3}x\d{2,3})(?!\d)", path.name):
        return parse_size(named[1])
    if stored := re.search(r"(?:input_size|image_size)=[\[(](\d+),(\d+)[\])]", settings):
        return int(stored[2]), int(stored[1])
    return None
