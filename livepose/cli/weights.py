"""livepose weights: list, show, import, verify and fetch pose weights."""

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.cli.options import from_text
from livepose.errors import WeightsError
from livepose.settings import parse_size
from livepose.weights.families import FAMILIES
from livepose.weights.places import SUFFIX

if TYPE_CHECKING:
    from livepose.weights.fetching import Progress
    from livepose.weights.manifest import Known

logger = logging.getLogger(__name__)

TITLES = {"own": "embedded and imported", "known": "known by name"}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to livepose's parser."""
    parser = subparsers.add_parser("weights", help="list, import, verify and fetch pose weights")
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="what is embedded, imported, and known by name")
    show = actions.add_parser("show", help="print the card of a weights file")
    show.add_argument("name", nargs="?", default="default", help="name or path (default: embedded)")
    verify = actions.add_parser("verify", help="check the tensors of files against their hash")
    verify.add_argument("names", nargs="*", metavar="NAME", help="names or paths (default: all)")
    fetch = actions.add_parser("fetch", help="download weights that are known by name")
    fetch.add_argument(
        "name", help="a name of 'livepose weights list', best, or hf://OWNER/REPO/FILE"
    )
    _add_import(actions)


def _add_import(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser(
        "import", help="bring in a checkpoint of HRNet, DarkPose, SimpleBaseline or MMPose"
    )
    parser.add_argument("file", metavar="FILE", help="or hf://OWNER/REPO/FILE[@sha256:HEX]")
    parser.add_argument("--family", choices=tuple(FAMILIES), help="whose conventions it follows")
    parser.add_argument(
        "--input", type=from_text(parse_size), metavar="HxW", help="input size, e.g. 128x96"
    )
    parser.add_argument("--network", help="refuse the file unless it is this network")
    parser.add_argument("--keypoints", type=int, help="refuse the file unless it has this many")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: the cache")
    parser.add_argument("--float32", action="store_true", help="store float32 instead of float16")


def run(arguments: argparse.Namespace) -> int:
    """Does what was asked; 0, or raises a WeightsError."""
    actions = {
        "list": _list,
        "show": _show,
        "import": _import,
        "verify": _verify,
        "fetch": _fetch,
    }
    actions[arguments.action](arguments)
    return 0


def _own_files() -> list[tuple[str, Path]]:
    """Embedded files, then those in the cache, each with where it is."""
    from livepose.weights.places import cached_weights_folder, embedded_folders, weights_in

    embedded = {path.name: path for folder in embedded_folders() for path in weights_in(folder)}
    cached = weights_in(cached_weights_folder())
    return [("embedded", path) for path in embedded.values()] + [("cache", path) for path in cached]


def _list(_: argparse.Namespace) -> None:
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
    return "fetch" if entry.fetchable else "by hand"


def _show(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from livepose.weights import find_weights, read_card
    from livepose.weights.card import FORMAT, read_metadata, to_metadata
    from livepose.weights.model_config import is_third_party

    path = find_weights(arguments.name)
    entries = {} if is_third_party(path) else read_metadata(path)
    if not entries or entries.get("format") == FORMAT:
        entries = to_metadata(read_card(path))  # in the card's own order
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("file", str(path))
    for name, value in entries.items():
        table.add_row(name, value)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _import(arguments: argparse.Namespace) -> None:
    import torch

    from livepose.weights import import_checkpoint
    from livepose.weights.hub import fetch_from_hub, is_on_hub

    file = arguments.file
    target, card = import_checkpoint(
        fetch_from_hub(file) if is_on_hub(file) else Path(file),
        family=arguments.family,
        input_hw=arguments.input,
        network=arguments.network,
        keypoints=arguments.keypoints,
        output=arguments.output,
        dtype=torch.float32 if arguments.float32 else torch.float16,
    )
    size = f"{card.input_hw[0]}x{card.input_hw[1]}"
    logger.info(
        f"{card.network}, {size}, {card.keypoints} keypoints, {card.notes['project']} convention "
        f"-> {target}; use it with --weights {target if arguments.output else target.stem}"
    )


def _verify(arguments: argparse.Namespace) -> None:
    from livepose.weights import find_weights
    from livepose.weights.arrays import verify
    from livepose.weights.card import read_metadata

    named = [find_weights(name) for name in arguments.names]
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


def _fetch(arguments: argparse.Namespace) -> None:
    from livepose.weights.hub import fetch_from_hub, is_on_hub

    if is_on_hub(arguments.name):
        path = fetch_from_hub(arguments.name)
        usable = path.suffix == SUFFIX
        use = (
            f"--weights {arguments.name}"
            if usable
            else f"'livepose weights import {arguments.name}'"
        )
        logger.info(f"{path} is here; use it with {use}")
        return
    from livepose.weights import import_checkpoint
    from livepose.weights.fetching import fetch
    from livepose.weights.manifest import find_known
    from livepose.weights.places import cached_weights_folder, find_weights

    known = find_known(arguments.name)
    if known is None:
        logger.info(f"{find_weights(arguments.name)} is here already")
        return
    with _progress_bar(known.name) if known.fetchable else nullcontext() as progress:
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


@contextmanager
def _progress_bar(name: str) -> "Iterator[Progress]":
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
