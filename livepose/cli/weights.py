"""livepose weights: list, show, import, verify and fetch pose weights."""

import logging
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.cli.options import Command, options
from livepose.errors import WeightsError
from livepose.settings import option, parse_size
from livepose.weights.manifest import FAMILIES
from livepose.weights.places import SUFFIX

if TYPE_CHECKING:
    from livepose.weights.manifest import Known

logger = logging.getLogger(__name__)

TITLES = {"own": "embedded and imported", "known": "known by name"}


@dataclass(frozen=True)
class ShowSettings:
    """Whose card."""

    name: str = option("default", "name or path (default: embedded)", flag="name", nargs="?")


@dataclass(frozen=True)
class VerifySettings:
    """Which files."""

    names: tuple[str, ...] = option(
        (), "names or paths (default: all)", flag="names", metavar="NAME", nargs="*"
    )


@dataclass(frozen=True)
class FetchSettings:
    """Which weights."""

    name: str = option(
        help="a name of 'livepose weights list', best, or hf://OWNER/REPO/FILE", flag="name"
    )


@dataclass(frozen=True)
class ImportSettings:
    """Which checkpoint, and how it is read."""

    file: str = option(help="or hf://OWNER/REPO/FILE[@sha256:HEX]", flag="file", metavar="FILE")
    family: str | None = option(None, "whose conventions it follows", choices=tuple(FAMILIES))
    input_hw: tuple[int, int] | None = option(
        None, "input size, e.g. 128x96", flag="--input", metavar="HxW", parse=parse_size
    )
    network: str | None = option(None, "refuse the file unless it is this network")
    keypoints: int | None = option(None, "refuse the file unless it has this many")
    output: Path | None = option(None, "default: the cache", metavar="FILE")
    float32: bool = option(False, "store float32 instead of float16")


COMMAND = Command(
    "Lists, imports, verifies and fetches pose weights.",
    parts={
        "list": Command("what is embedded, imported, and known by name"),
        "show": Command("print the card of a weights file", [ShowSettings]),
        "verify": Command("check the tensors of files against their hash", [VerifySettings]),
        "fetch": Command("download weights that are known by name", [FetchSettings]),
        "import": Command(
            "bring in a checkpoint of HRNet, DarkPose, SimpleBaseline or MMPose", [ImportSettings]
        ),
    },
)


def run(arguments: Namespace) -> int:
    """Does what was asked; 0, or raises a WeightsError."""
    actions: dict[str, Callable[[], None]] = {
        "list": _list,
        "show": lambda: _show(options(ShowSettings, arguments).name),
        "import": lambda: _import(options(ImportSettings, arguments)),
        "verify": lambda: _verify(options(VerifySettings, arguments).names),
        "fetch": lambda: _fetch(options(FetchSettings, arguments).name),
    }
    actions[arguments.part]()
    return 0


def _own_files() -> list[tuple[str, Path]]:
    """Embedded files, then those in the cache, each with where it is."""
    from livepose.weights.places import cached_weights_folder, embedded_folders, weights_in

    embedded = {path.name: path for folder in embedded_folders() for path in weights_in(folder)}
    cached = weights_in(cached_weights_folder())
    return [("embedded", path) for path in embedded.values()] + [("cache", path) for path in cached]


def _list() -> None:
    from rich.console import Console
    from rich.table import Table

    from livepose.weights.manifest import known_files

    own = Table("name", "network", "input", "keypoints", "where", title=TITLES["own"])
    for where, path in _own_files():
        own.add_row(path.stem, *_summary(path), where)
    known = Table(
        "name", "network", "input", "keypoints", "published", "how", title=TITLES["known"]
    )
    for entry in known_files():
        size = f"{entry.input_hw[0]}x{entry.input_hw[1]}"
        keypoints = str(entry.keypoints)
        known.add_row(entry.name, entry.network, size, keypoints, entry.results, _how(entry))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(own if own.rows else "no weights are embedded or imported")
    console.print(known)
    console.print("'by hand' files: 'livepose weights fetch NAME' says where they are", style="dim")


def _summary(path: Path) -> tuple[str, str, str]:
    from livepose.weights.card import read_metadata

    try:
        metadata = read_metadata(path)
    except WeightsError:
        return "damaged", "", ""
    return (
        metadata.get("network", "?"),
        metadata.get("input_hw", ""),
        metadata.get("keypoints", ""),
    )


def _how(entry: "Known") -> str:
    from livepose.weights.places import downloads_folder

    if entry.file and (downloads_folder() / entry.file).is_file():
        return "fetched"
    return "fetch" if entry.url else "by hand"


def _show(name: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from livepose.weights import find_weights, read_card
    from livepose.weights.card import FORMAT, is_third_party, read_metadata, to_metadata

    path = find_weights(name)
    entries = {} if is_third_party(path) else read_metadata(path)
    if not entries or entries.get("format") == FORMAT:
        entries = to_metadata(read_card(path))  # in the card's own order
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("file", str(path))
    for name, value in entries.items():
        table.add_row(name, value)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _import(settings: ImportSettings) -> None:
    import torch

    from livepose.weights import import_checkpoint
    from livepose.weights.hub import fetch_from_hub, is_on_hub

    file = settings.file
    target, card = import_checkpoint(
        fetch_from_hub(file) if is_on_hub(file) else Path(file),
        family=settings.family,
        input_hw=settings.input_hw,
        network=settings.network,
        keypoints=settings.keypoints,
        output=settings.output,
        dtype=torch.float32 if settings.float32 else torch.float16,
    )
    size = f"{card.input_hw[0]}x{card.input_hw[1]}"
    logger.info(
        f"{card.network}, {size}, {card.keypoints} keypoints, {card.notes['project']} convention "
        f"-> {target}; use it with --weights {target if settings.output else target.stem}"
    )


def _verify(names: Sequence[str]) -> None:
    from livepose.weights import find_weights
    from livepose.weights.arrays import verify
    from livepose.weights.card import read_metadata

    named = [find_weights(name) for name in names]
    wrong = []
    for path in named or [path for _, path in _own_files()]:
        if not named and not read_metadata(path).get("sha256"):
            print(f"{path}: states no hash of its tensors")
            continue
        right = verify(path)
        print(
            f"{path}: {'ok' if right else 'WRONG: its tensors are not those it was written with'}"
        )
        wrong += [] if right else [path.name]
    if wrong:
        raise WeightsError(f"damaged weights: {', '.join(wrong)}; import, fetch or install again")


def _fetch(name: str) -> None:
    from livepose.weights.hub import fetch_from_hub, is_on_hub

    if is_on_hub(name):
        path = fetch_from_hub(name)
        usable = path.suffix == SUFFIX
        use = f"--weights {name}" if usable else f"'livepose weights import {name}'"
        logger.info(f"{path} is here; use it with {use}")
        return
    from livepose.weights import import_checkpoint
    from livepose.weights.fetching import fetch
    from livepose.weights.manifest import find_known
    from livepose.weights.places import cached_weights_folder, find_weights

    known = find_known(name)
    if known is None:
        logger.info(f"{find_weights(name)} is here already")
        return
    from livepose.cli.progress import download_bar

    with download_bar(known.name) if known.url else nullcontext() as progress:
        path = fetch(known, progress)
    target = cached_weights_folder() / (known.name + SUFFIX)
    import_checkpoint(
        path,
        family=known.family,
        input_hw=known.input_hw,
        network=known.network,
        keypoints=known.keypoints,
        output=target,
    )
    logger.info(f"{known.name} -> {target}; use it with --weights {known.name}")
