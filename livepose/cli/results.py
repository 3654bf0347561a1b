"""``livepose plot`` and ``livepose decode``: what results and heatmaps in files say."""

import json
import logging
import zipfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.options import Command, options
from livepose.errors import DataError, SinkError, UsageError
from livepose.settings import DECODINGS, option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from livepose.heatmaps import Decoded

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlotSettings:
    """What is drawn, and where."""

    files: tuple[Path, ...] = option(
        help="written by --json, or a folder of such files", flag="files", metavar="FILE", nargs="+"
    )
    output: Path | None = option(None, ".png, .pdf or .html; FILE.png unless given", metavar="PAGE")
    id: tuple[int, ...] = option((), "only this person")
    overwrite: bool = option(False, "replace pages that are there")


def plot(given: Namespace) -> None:
    """Draws a page for each file; of several, those that cannot be drawn are left out and said."""
    from livepose.results.plot import check_suffix

    settings = options(PlotSettings, given)
    files = [file for path in settings.files for file in results_of(path)]
    if settings.output is not None:
        check_suffix(settings.output)
        if len(files) > 1:
            raise UsageError("--output names one page; leave it out for several files")
    failures = []
    for file in files:
        try:
            draw(file, settings.output or file.with_suffix(".png"), settings)
        except DataError as error:
            failures.append(error)
    if len(failures) == len(files):
        raise failures[0]
    for failure in failures:
        logger.warning(f"left out: {failure}")


def results_of(path: Path) -> list[Path]:
    """The file itself, or the results in a folder."""
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise DataError(
            f"{path} holds no results (.jsonl); to make and plot them: livepose {path}"
            " --output-dir OUT --json, then livepose plot OUT"
        )
    return files


def draw(file: Path, page: Path, settings: PlotSettings) -> None:
    """The page of one file."""
    from livepose.results.plot import draw_page, save_page
    from livepose.results.reading import read
    from livepose.sinks.claims import check_outputs

    check_outputs({"--output": page}, [file], overwrite=settings.overwrite)
    save_page(draw_page(read(file), settings.id), page, title=file.name)
    logger.info(f"{page}")


PLOT = Command(
    "Draws positions, speeds and angles with their bands, one page a file.", [PlotSettings], plot
)


@dataclass(frozen=True)
class DecodeSettings:
    """What is decoded, and how."""

    heatmaps: Path = option(help=".npz or .npy", flag="heatmaps")
    array: str | None = option(None, "which array of the .npz (if several)", metavar="NAME")
    decode: str = option("dark", "the decoder", choices=DECODINGS)
    blur_kernel: int = option(3, "DARK's modulation, odd", metavar="N")
    output: str = option("-", ".npz or .json; - (default) is JSON on stdout", metavar="FILE")


def decode_file(given: Namespace) -> None:
    """Reads, decodes and writes."""
    from livepose.heatmaps import decode

    settings = options(DecodeSettings, given)
    heatmaps = read_heatmaps(settings.heatmaps, settings.array)
    try:
        decoded = decode(heatmaps, settings.decode, settings.blur_kernel)
    except ValueError as error:
        raise UsageError(str(error)) from error
    write(decoded, settings.output)


def read_heatmaps(path: Path, name: str | None = None) -> "NDArray[np.floating[Any]]":
    """Heatmaps (P, K, H, W) of a file."""
    import numpy as np

    try:
        content = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as .npz or .npy: {error}") from error
    array = content if isinstance(content, np.ndarray) else chosen(dict(content), path, name)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"{path}: expected floating-point heatmaps (P, K, H, W) or (K, H, W), got"
            f" {array.dtype} {array.shape}"
        )
    return array


def chosen(arrays: "dict[str, NDArray[Any]]", path: Path, name: str | None) -> "NDArray[Any]":
    """The array of that name, or the only one, or the one that is called heatmaps."""
    if name is None and ("heatmaps" in arrays or len(arrays) == 1):
        name = "heatmaps" if "heatmaps" in arrays else next(iter(arrays))
    if name not in arrays:
        raise UsageError(f"{path} holds {', '.join(arrays)}: say which with --array NAME")
    return arrays[name]


def write(decoded: "Decoded", output: str) -> None:
    """Writes .npz (xy, scores, covariance) or JSON."""
    import numpy as np

    try:
        if output.endswith(".npz"):
            np.savez(output, xy=decoded.xy, scores=decoded.scores, covariance=decoded.covariance)
        elif output == "-":
            print(json.dumps(as_dict(decoded)))
        else:
            Path(output).write_text(json.dumps(as_dict(decoded)) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{output} cannot be written: {error.strerror or error}") from error


def as_dict(decoded: "Decoded") -> dict[str, Any]:
    """``{"people": [[[x, y, score, sigma], ...], ...]}`` in heatmap px, null for missing."""
    import numpy as np

    variance = (decoded.covariance[..., 0, 0] + decoded.covariance[..., 1, 1]) / 2
    sigma = np.sqrt(np.where(variance >= 0, variance, np.nan))
    rows = np.concatenate([decoded.xy, decoded.scores[..., None], sigma[..., None]], axis=-1)
    people = [[keypoint(*row) for row in person] for person in rows.tolist()]
    return {"unit": "heatmap px", "order": ["x", "y", "score", "sigma"], "people": people}


def keypoint(x: float, y: float, score: float, sigma: float) -> list[float | None] | None:
    """One keypoint as numbers, null where there is none."""
    if x != x or y != y:
        return None
    return [x, y, score, sigma if sigma == sigma else None]


DECODE = Command(
    "Decodes heatmaps (P, K, H, W) or (K, H, W) of any network to heatmap pixels: x, y, score,"
    " and the covariance where the decoder knows it.",
    [DecodeSettings],
    decode_file,
)
