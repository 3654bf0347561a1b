"""``livepose weights list | show | verify | fetch | import``, and ``livepose export``."""

import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from livepose.cli.options import Command, command
from livepose.errors import WeightsError
from livepose.settings import EXPORT_SUFFIXES, option, parse_size
from livepose.weights.manifest import FAMILIES
from livepose.weights.places import HUB, SUFFIX

if TYPE_CHECKING:
    from rich.table import Table

logger = logging.getLogger(__name__)


def _show_table(table: "Table") -> None:
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _own_files() -> list[tuple[str, Path]]:
    """What is embedded, then what is in the cache, each with where it is."""
    from livepose.weights.places import cached_weights_folder, embedded_folder

    folders = {"embedded": embedded_folder(), "cache": cached_weights_folder()}
    return [(w, path) for w, one in folders.items() for path in sorted(one.glob(f"*{SUFFIX}"))]


@command("what is embedded, imported, and known by name")
def _list() -> None:
    from rich.table import Table

    from livepose.weights.manifest import known_files
    from livepose.weights.places import downloads_folder

    caption = "'by hand': 'livepose weights fetch NAME' says where they are"
    columns = ("name", "network", "input", "keypoints", "published", "where")
    table = Table(*columns, caption=caption)
    for where, path in _own_files():
        table.add_row(path.stem, *_summary(path), "", where)
    for entry in known_files():
        size, keypoints = "{}x{}".format(*entry.input_hw), str(entry.keypoints)
        fetched = entry.file and (downloads_folder() / entry.file).is_file()
        where = "fetched" if fetched else "fetch" if entry.url else "by hand"
        table.add_row(entry.name, entry.network, size, keypoints, entry.results, where)
    _show_table(table)


def _summary(path: Path) -> tuple[str, str, str]:
    """Network, input and keypoints."""
    from livepose.weights.card import read_metadata

    try:
        found = read_metadata(path)
    except WeightsError:
        return "damaged", "", ""
    if "architecture" in found:
        side_px = found.get("input_px", "?")
        return "detector", f"{side_px}x{side_px}", ""
    return found.get("network", "?"), found.get("input_hw", ""), found.get("keypoints", "")


@command("print the card of a weights file, and check its tensors against their hash")
def _show(
    name: str = option("default", "name or path (default: embedded)", flag="name", nargs="?"),
) -> None:
    from rich.table import Table

    from livepose.weights import find_weights, read_card
    from livepose.weights.arrays import load_arrays
    from livepose.weights.card import is_third_party, read_metadata, to_metadata

    path = find_weights(name)
    entries = to_metadata(read_card(path)) if is_third_party(path) else read_metadata(path)
    table = Table(show_header=False, box=None, pad_edge=False)
    for row in ("file", str(path)), *sorted(entries.items()):
        table.add_row(*row)
    _show_table(table)
    if entries.get("sha256"):
        load_arrays(path)  # which are to be those of this hash


@command("check the tensors of files against their hash")
def _verify(
    names: tuple[str, ...] = option(
        (), "names or paths (default: all that are here)", flag="names", metavar="NAME", nargs="*"
    ),
) -> None:
    from livepose.weights import find_weights
    from livepose.weights.arrays import load_arrays
    from livepose.weights.card import read_metadata

    wrong = []
    for path in [find_weights(name) for name in names] or [path for _, path in _own_files()]:
        try:
            load_arrays(path)
            hashed = read_metadata(path).get("sha256")
            print(f"{path}: {'ok' if hashed else 'states no hash of its tensors'}")
        except WeightsError as error:
            print(f"{path}: WRONG: {error}")
            wrong.append(path.name)
    if wrong:
        raise WeightsError(f"damaged weights: {', '.join(wrong)}; import, fetch or install again")


@command("bring in a checkpoint of HRNet, DarkPose, SimpleBaseline or MMPose")
def _import(
    file: str = option(help="or hf://OWNER/REPO/FILE[@sha256:HEX]", flag="file", metavar="FILE"),
    family: str | None = option(None, "whose conventions it follows", choices=tuple(FAMILIES)),
    input_hw: tuple[int, int] | None = option(
        None, "input size, e.g. 128x96", flag="--input", metavar="HxW", parse=parse_size
    ),
    network: str | None = option(None, "refuse the file unless it is this network"),
    keypoints: int | None = option(None, "refuse the file unless it has this many"),
    output: Path | None = option(None, "default: the cache", metavar="FILE"),
) -> None:
    from livepose.weights.card import size_of
    from livepose.weights.fetching import fetch_from_hub
    from livepose.weights.importing import import_checkpoint

    path = fetch_from_hub(file) if file.startswith(HUB) else Path(file)
    target, card = import_checkpoint(
        path,
        family=family,
        input_hw=input_hw,
        network=network,
        keypoints=keypoints,
        output=output,
    )
    logger.info(
        f"{card.network}, {size_of(card)}, {card.keypoints} keypoints, "
        f"{card.notes['project']} convention "
        f"-> {target}; use it with --weights {target if output else target.stem}"
    )


@command("download weights that are known by name")
def _fetch(
    name: str = option(
        help="a name of 'livepose weights list', best, or hf://OWNER/REPO/FILE", flag="name"
    ),
) -> None:
    from livepose.cli.progress import download_bar
    from livepose.weights import find_weights
    from livepose.weights.fetching import fetch
    from livepose.weights.importing import import_checkpoint
    from livepose.weights.manifest import find_known
    from livepose.weights.places import cached_weights_folder

    known = find_known(name)
    if known is None:
        logger.info(f"{find_weights(name)} is here; use it with --weights {name}")
        return
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


WEIGHTS = Command(
    "Lists, imports, verifies and fetches pose weights.",
    parts={"list": _list, "show": _show, "verify": _verify, "fetch": _fetch, "import": _import},
)


@command(
    "Writes a file that takes crops (uint8, N x H x W x 3, blue first) and gives keypoints"
    " (N x K x 6: x, y, score, cov xx, xy, yy) in pixels of the crop, and compares it with"
    " livepose on real people."
)
def export(
    kind: str = option(flag="kind", choices=tuple(EXPORT_SUFFIXES)),
    output: Path = option(metavar="FILE"),
    weights: str = option("default", "a name or a .safetensors file"),
    heatmaps: bool = option(False, "heatmaps as a second output"),
    half: bool = option(False, "the network in float16"),
    overwrite: bool = option(False, "replace what is there"),
) -> None:
    """Says how far keypoints moved."""
    from livepose.export import export

    worst_px = export(kind, output, weights, heatmaps=heatmaps, half=half, overwrite=overwrite)
    logger.warning(
        f"{output}: keypoints of four people lie at most {worst_px:.1g} px of the crop "
        "from livepose's"
    )
