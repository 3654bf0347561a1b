"""Other people's checkpoints into livepose's form.

A file that needs to run code to be read is refused (``torch_file``).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.settings import parse_size
from livepose.weights.arrays import require_usable
from livepose.weights.card import Card
from livepose.weights.checkpoint import check_state, identify, save_checkpoint
from livepose.weights.families import FAMILIES, card_for
from livepose.weights.manifest import find_known
from livepose.weights.places import SUFFIX, cached_weights_folder
from livepose.weights.torch_file import open_torch_file, require_fits

HEADS = ("keypoint_head.", "head.")
NOT_WEIGHTS = ("data_preprocessor.",)
ALL_FAMILIES = ", ".join(FAMILIES)


def import_checkpoint(
    path: str | Path,
    *,
    output: str | Path | None = None,
    dtype: torch.dtype = torch.float16,
    **told: Any,
) -> tuple[Path, Card]:
    """Reads a published checkpoint, checks it and writes it as safetensors with a card.

    ``told`` is what ``read_published`` may be told. Without ``output`` the file goes to the cache,
    where its stem is its name. Returns where it is, and its card.
    """
    source = Path(path)
    state, card = read_published(source, **told)
    target = Path(output) if output else cached_weights_folder() / (stem(source) + SUFFIX)
    return target, save_checkpoint(target, state, card, dtype)


def read_published(
    path: Path,
    *,
    family: str | None = None,
    input_hw: tuple[int, int] | None = None,
    network: str | None = None,
    keypoints: int | None = None,
) -> tuple[dict[str, Tensor], Card]:
    """State dict under official names, and card, of a published checkpoint.

    Network and keypoints are detected; given ones are what the file has to be. ``family`` and
    ``input_hw`` are needed where neither the file nor its name tells them.

    Raises
    ------
    WeightsError
        If the file is unsafe, broken, unknown, ambiguous, or not what was wanted.
    """
    content = open_torch_file(path)
    state, layout = official_names(unwrap(content, path), path)
    card = _card(path, content, state, layout, family, input_hw)
    _require(card, path.name, network, input_hw, keypoints)
    wanted = f"{card.network} with {card.keypoints} keypoints"
    check_state(state, build_network(card.network, card.keypoints), wanted, path.name)
    require_usable(state, path.name)
    return state, card


def _require(
    card: Card,
    what: str,
    network: str | None,
    input_hw: tuple[int, int] | None,
    keypoints: int | None,
) -> None:
    """WeightsError where the card is not of what is wanted; None wants nothing."""
    size, got = ("x".join(map(str, one or ())) for one in (input_hw, card.input_hw))
    for value, is_so, words in (
        (network, network == card.network, f"network {network} was"),
        (input_hw, size == got, f"input size {size} was"),
        (keypoints, keypoints == card.keypoints, f"{keypoints} keypoints were"),
    ):
        if value is not None and not is_so:
            raise WeightsError(
                f"{what} is {card.network} for {got} with {card.keypoints} keypoints; {words}"
                " wanted"
            )


def stem(path: Path) -> str:
    """The file's name without .pth, .pt or .pth.tar."""
    return re.sub(r"(\.(pth|pt|tar|ckpt|bin))+$", "", path.name, flags=re.IGNORECASE)


def unwrap(content: object, path: Path) -> dict[str, Tensor]:
    """The state dict out of a bare file or a training checkpoint, without ``module.`` prefix."""
    inner = content
    for key in ("best_state_dict", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            inner = content[key]
            break
    if not isinstance(inner, Mapping) or not inner or not _all_tensors(inner):
        raise WeightsError(
            f"{path} holds no state dict; names with tensors were expected, got {_outline(content)}"
        )
    require_fits(inner.values(), path)
    prefixed = all(name.startswith("module.") for name in inner)
    return {name.removeprefix("module.") if prefixed else name: inner[name] for name in inner}


def _all_tensors(values: Mapping[Any, Any]) -> bool:
    return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in values.items())


def _outline(content: object) -> str:
    if isinstance(content, Mapping):
        names = ", ".join(str(name) for name in list(content)[:5])
        return f"entries {names}" if names else "nothing"
    return f"a {type(content).__name__}"


def official_names(state: Mapping[str, Tensor], path: Path) -> tuple[dict[str, Tensor], str]:
    """The state under official names, and the layout it had: "official" or "mmpose"."""
    if not any(name.startswith("backbone.") for name in state):
        return dict(state), "official"
    weights = {name: one for name, one in state.items() if not name.startswith(NOT_WEIGHTS)}
    return {_official_name(name, path): one for name, one in weights.items()}, "mmpose"


def _official_name(name: str, path: Path) -> str:
    for prefix in ("backbone.", *HEADS):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    raise WeightsError(
        f"{path.name} has an entry {name} that is neither backbone nor head of an MMPose "
        "heatmap network; only top-down heatmap networks can be brought in"
    )


def _card(
    path: Path,
    content: object,
    state: Mapping[str, Tensor],
    layout: str,
    family: str | None,
    input_hw: tuple[int, int] | None,
) -> Card:
    found = identify(state)
    if found.network is None or found.keypoints is None:
        raise WeightsError(f"{path.name} is {found.what}; HRNet-W32, W48 or ResNet wanted")
    hints = path.name.lower() + "\n" + _settings_text(content)
    size = _size(path, hints, input_hw)
    known = find_known(path.name)
    chosen = family or (known.family if known else None) or _family(hints, layout, size)
    if chosen is None:
        raise WeightsError(
            f"{path.name} is {found.what}, but HRNet's and DarkPose's files look alike and "
            f"place people differently; say which it is with --family ({ALL_FAMILIES})"
        )
    if (layout == "mmpose") != chosen.startswith("mmpose") and chosen in FAMILIES:
        raise WeightsError(f"{path.name} has {layout} names; family {chosen} was given")
    source = (known.url or known.folder) if known else path.name
    card = card_for(chosen, found.network, found.keypoints, size, source=source)
    if "dark" in path.name.lower() or "unbiased=true" in hints:
        card.notes["decoding"] = "dark"
    return card


def _settings_text(content: object) -> str:
    """The training settings that MMPose stores as text, in lower case and without spaces."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    if not isinstance(meta, Mapping):
        return ""
    texts = (meta.get("cfg"), meta.get("config"))
    return "".join(re.sub(r"\s", "", text).lower() for text in texts if isinstance(text, str))


def _size(path: Path, hints: str, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Input size from the file's name, else from its settings, else as given."""
    named = re.search(r"(?<!\d)(\d{2,3}x\d{2,3})(?!\d)", path.name)
    stored = re.search(r"(?:input_size|image_size)=[\[(](\d+),(\d+)[\])]", hints)
    if named:
        return parse_size(named[1])
    if stored:
        return int(stored[2]), int(stored[1])
    if wanted is None:
        raise WeightsError(
            f"{path.name} does not say for which input size it was trained; give it as "
            "HEIGHTxWIDTH, for instance --input 128x96"
        )
    return wanted


def _family(hints: str, layout: str, size: tuple[int, int]) -> str | None:
    if layout == "mmpose":
        return "mmpose-udp" if "udp" in hints else "mmpose"
    # Of the official projects only DarkPose trained for 128x96.
    return "dark" if "dark" in hints or size == (128, 96) else None
