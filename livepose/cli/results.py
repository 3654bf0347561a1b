"""``livepose plot`` and ``livepose decode``: what results and heatmaps in files say."""

import json
import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli.options import command
from livepose.errors import DataError, UsageError
from livepose.settings import DECODINGS, option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from livepose.heatmaps import Decoded

logger = logging.getLogger(__name__)


@command("Draws positions, speeds and angles with their bands, one page a file.")
def plot(
    files: tuple[Path, ...] = option(
        help="written by --json, or a folder of such files", flag="files", metavar="FILE", nargs="+"
    ),
    output: Path | None = option(
        None, ".png, .pdf or .html; FILE.png unless given", metavar="PAGE"
    ),
    id: tuple[int, ...] = option((), "only this person"),
    overwrite: bool = option(False, "replace pages that are there"),
) -> None:
    """Of several files, those that cannot be drawn are left out and said."""
    from livepose.results.plot import check_suffix, draw_page, save_page
    from livepose.results.reading import read
    from livepose.sinks.sink import check_outputs

    results = [file for path in files for file in _results_of(path)]
    if output is not None:
        check_suffix(output)
        if len(results) > 1:
            raise UsageError("--output names one page; leave it out for several files")
    failures = []
    for file in results:
        page = output or file.with_suffix(".png")
        try:
            check_outputs({"--output": page}, [file], overwrite=overwrite)
            save_page(draw_page(read(file), id), page, title=file.name)
            logger.info(f"{page}")
        except DataError as error:
            failures.append(error)
    if len(failures) == len(results):
        raise failures[0]
    for failure in failures:
        logger.warning(f"left out: {failure}")


def _results_of(path: Path) -> list[Path]:
    """The file itself, or the results in a folder."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise DataError(
            f"{path} holds no results (.jsonl); to make and plot them: livepose {path}"
            " --output-dir OUT --json, then livepose plot OUT"
        )
    return files


@command(
    "Decodes heatmaps (P, K, H, W) or (K, H, W) of any network to heatmap pixels: x, y, score,"
    " and the covariance where the decoder knows it."
)
def decode(
    heatmaps: Path = option(help=".npz or .npy", flag="heatmaps"),
    array: str | None = option(None, "which array of the .npz (if several)", metavar="NAME"),
    decode: str = option("dark", "the decoder", choices=DECODINGS),
    blur_kernel: int = option(3, "DARK's modulation, odd", metavar="N"),
    output: str = option("-", ".npz or .json; - (default) is JSON on stdout", metavar="FILE"),
) -> None:
    """Reads, decodes and writes."""
    import numpy as np

    from livepose import heatmaps as decoders

    maps = _read_heatmaps(heatmaps, array)
    try:
        decoded = decoders.decode(maps, decode, blur_kernel)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if output.endswith(".npz"):
        np.savez(output, xy=decoded.xy, scores=decoded.scores, covariance=decoded.covariance)
    elif output == "-":
        print(json.dumps(_as_dict(decoded)))
    else:
        Path(output).write_text(json.dumps(_as_dict(decoded)) + "\n", encoding="utf-8")


def _read_heatmaps(path: Path, name: str | None) -> "NDArray[np.floating[Any]]":
    """Heatmaps (P, K, H, W): the only array of a file, that of the name, or "heatmaps"."""
    import numpy as np

    try:
        content: Any = np.load(path, allow_pickle=False)
        arrays = {"": content} if isinstance(content, np.ndarray) else dict(content)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as .npz or .npy: {error}") from error
    if name is None:
        name = "heatmaps" if "heatmaps" in arrays or len(arrays) != 1 else next(iter(arrays))
    if name not in arrays:
        raise UsageError(f"{path} holds {', '.join(arrays)}: say which with --array NAME")
    array = arrays[name][None] if arrays[name].ndim == 3 else arrays[name]
    if array.ndim != 4 or not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"{path}: expected floating-point heatmaps (P, K, H, W) or (K, H, W), got"
            f" {array.dtype} {array.shape}"
        )
    return array


def _as_dict(decoded: "Decoded") -> dict[str, Any]:
    """``{"people": [[[x, y, score, sigma], ...], ...]}`` in heatmap px, null for missing."""
    import numpy as np

    variance = (decoded.covariance[..., 0, 0] + decoded.covariance[..., 1, 1]) / 2
    sigma = np.sqrt(np.where(variance >= 0, variance, np.nan))
    rows = np.concatenate([decoded.xy, decoded.scores[..., None], sigma[..., None]], axis=-1)
    people = [
        [None if x != x else [x, y, score, None if s != s else s] for x, y, score, s in person]
        for person in rows.tolist()
    ]
    return {"unit": "heatmap px", "order": ["x", "y", "score", "sigma"], "people": people}
