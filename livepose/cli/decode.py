"""``livepose decode heatmaps.npz``: DARK, or another decoder, on any network's heatmaps."""

import json
import sys
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


@dataclass(frozen=True)
class DecodeSettings:
    """What is decoded, and how."""

    heatmaps: Path = option(help=".npz or .npy", flag="heatmaps")
    array: str | None = option(None, "which array of the .npz (if several)", metavar="NAME")
    decode: str = option("dark", "the decoder", choices=DECODINGS)
    blur_kernel: int = option(3, "DARK's modulation, odd", metavar="N")
    output: str = option("-", ".npz or .json; - (default) is JSON on stdout", metavar="FILE")


COMMAND = Command(
    "Decodes heatmaps (P, K, H, W) or (K, H, W) of any network to heatmap pixels: x, y, score,"
    " and the covariance where the decoder knows it.",
    [DecodeSettings],
)


def run(arguments: Namespace) -> int:
    """Reads, decodes and writes."""
    from livepose.heatmaps import decode

    settings = options(DecodeSettings, arguments)
    heatmaps = read_heatmaps(settings.heatmaps, settings.array)
    try:
        decoded = decode(heatmaps, settings.decode, settings.blur_kernel)
    except ValueError as error:
        raise UsageError(str(error)) from error
    write(decoded, settings.output)
    return 0


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
    if name is None and "heatmaps" in arrays:
        name = "heatmaps"
    if name is None and len(arrays) == 1:
        return next(iter(arrays.values()))
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
            print(json.dumps(as_dict(decoded)), file=sys.stdout)
        else:
            Path(output).write_text(json.dumps(as_dict(decoded)) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{output} cannot be written: {error.strerror or error}") from error


def as_dict(decoded: "Decoded") -> dict[str, Any]:
    """``{"people": [[[x, y, score, sigma], ...], ...]}`` in heatmap px, null for missing."""
    import numpy as np

    variance = (decoded.covariance[..., 0, 0] + decoded.covariance[..., 1, 1]) / 2
    sigma = np.sqrt(np.where(variance >= 0, variance, np.nan))
    people = [
        [keypoint(*row) for row in zip(*person, strict=True)]
        for person in zip(decoded.xy, decoded.scores, sigma, strict=True)
    ]
    return {"unit": "heatmap px", "order": ["x", "y", "score", "sigma"], "people": people}


def keypoint(xy: Any, score: float, sigma: float) -> list[float | None] | None:
    """One keypoint as numbers, null where there is none."""
    x, y = float(xy[0]), float(xy[1])
    if x != x or y != y:
        return None
    return [x, y, float(score), float(sigma) if sigma == sigma else None]
