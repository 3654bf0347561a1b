"""Other people's checkpoints into livepose's form.

A file that needs to run code to be read is refused (``torch_file``).
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from livepose.errors import WeightsError
from livepose.networks import build_network
from livepose.settings import parse_size
from livepose.weights.arrays import require_usable
from livepose.weights.card import Card
from livepose.weights.checkpoint import check_state, identify, save_checkpoint
from livepose.weights.manifest import ALL_FAMILIES, FAMILIES, card_for, find_known
from livepose.weights.places import SUFFIX, cached_weights_folder
from livepose.weights.torch_file import open_torch_file, require_fits

_MMPOSE_PREFIXES = re.compile(r"(backbone|keypoint_head|head)\.")
State = dict[str, Tensor]


def import_checkpoint(
    path: str | Path,
    *,
    family: str | None = None,
    input_hw: tuple[int, int] | None = None,
    output: str | Path | None = None,
) -> tuple[Path, Card]:
    """Reads a published checkpoint, checks it and writes it as safetensors with a card.

    ``family`` and ``input_hw`` are as in ``read_published``. Without ``output`` the file goes to
    the cache, where its stem is its name. Returns where it is, and its card.
    """
    state, card = read_published(Path(path), family=family, input_hw=input_hw)
    stem = re.sub(r"(\.(pth|pt|tar|ckpt|bin))+$", "", Path(path).name, flags=re.IGNORECASE)
    target = Path(output) if output else cached_weights_folder() / (stem + SUFFIX)
    return target, save_checkpoint(target, state, card)


def read_published(
    path: Path,
    *,
    family: str | None = None,
    input_hw: tuple[int, int] | None = None,
) -> tuple[State, Card]:
    """State dict under official names, and card, of a published checkpoint.

    Network and keypoints are detected; ``family`` and ``input_hw`` are needed where neither the
    file nor its name tells them. WeightsError if the file is unsafe, broken, unknown or ambiguous.
    """
    content = open_torch_file(path)
    state = unwrap(content, path)
    is_mmpose = any(name.startswith("backbone.") for name in state)
    if is_mmpose:
        state = _official(state, path)
    hints = path.name.lower() + "\n" + _settings_text(content)
    card = _card(path, hints, state, is_mmpose, family, input_hw or _size(path, hints))
    wanted = f"{card.network} with {card.keypoints} keypoints"
    with torch.device("meta"):  # names and shapes alone
        network = build_network(card.network, card.keypoints)
    check_state(state, network, wanted, path.name)
    require_usable(state, path.name)
    return state, card


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
    require_fits(state.values(), path)
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): one for name, one in state.items()}
    return dict(state)


def _official(state: State, path: Path) -> State:
    """MMPose's names as the official ones."""
    state = {name: one for name, one in state.items() if not name.startswith("data_preprocessor.")}
    for name in state:
        if not _MMPOSE_PREFIXES.match(name):
            raise WeightsError(
                f"{path.name} has an entry {name} that is neither backbone nor head of an MMPose "
                "heatmap network; only top-down heatmap networks can be brought in"
            )
    return {_MMPOSE_PREFIXES.sub("", name, count=1): one for name, one in state.items()}


def _card(
    path: Path,
    hints: str,
    state: State,
    is_mmpose: bool,
    family: str | None,
    size: tuple[int, int],
) -> Card:
    network, keypoints, what = identify(state)
    if network is None or keypoints is None:
        raise WeightsError(f"{path.name} is {what}; HRNet-W32, W48 or ResNet wanted")
    known = find_known(path.name)
    chosen = family or (known.family if known else None)
    if chosen is None and is_mmpose:
        chosen = "mmpose-udp" if "udp" in hints else "mmpose"
    elif chosen is None and ("dark" in hints or size == (128, 96)):
        chosen = "dark"  # of the official projects only DarkPose trained for 128x96
    if chosen is None:
        raise WeightsError(
            f"{path.name} is {what}, but HRNet's and DarkPose's files look alike and "
            f"place people differently; say which it is with --family ({ALL_FAMILIES})"
        )
    if is_mmpose != chosen.startswith("mmpose") and chosen in FAMILIES:
        layout = "mmpose" if is_mmpose else "official"
        raise WeightsError(f"{path.name} has {layout} names; family {chosen} was given")
    source = (known.url or known.folder) if known else path.name
    return card_for(chosen, network, keypoints, size, source=source)


def _settings_text(content: object) -> str:
    """The training settings that MMPose stores as text, in lower case and without spaces."""
    meta = content.get("meta") if isinstance(content, Mapping) else None
    if not isinstance(meta, Mapping):
        return ""
    texts = (meta.get("cfg"), meta.get("config"))
    return "".join(re.sub(r"\s", "", text).lower() for text in texts if isinstance(text, str))


def _size(path: Path, hints: str) -> tuple[int, int]:
    """Input size from the file's name, else from its settings."""
    if named := re.search(r"(?<!\d)(\d{2,3}x\d{2,3})(?!\d)", path.name):
        return parse_size(named[1])
    if stored := re.search(r"(?:input_size|image_size)=[\[(](\d+),(\d+)[\])]", hints):
        return int(stored[2]), int(stored[1])
    raise WeightsError(
        f"{path.name} does not say for which input size it was trained; give it as HEIGHTxWIDTH, "
        "for instance --input 128x96"
    )
