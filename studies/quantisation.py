"""Why decoding matters at low resolution: known sub-pixel points through encoding and back.

No data and no network: points are drawn at random, encoded as heatmaps of three sizes, and decoded
by each decoder, clean and with noise. The error is in pixels of the network's input.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livepose.errors import UsageError
from livepose.heatmaps import DECODERS, decode, encode_dark, encode_standard

STRIDE = 4
POINTS = 2000
SEED = 6278
MARGIN_CELLS = 4.0
ENCODINGS = {"sub-pixel": encode_dark, "quantised": encode_standard}


@dataclass(frozen=True)
class Grid:
    """A heatmap size with the Gaussian and the decoding kernel that it is trained with."""

    heatmap_hw: tuple[int, int]
    sigma: float
    blur_kernel: int

    @property
    def label(self) -> str:
        """Width x height of the heatmap."""
        return f"{self.heatmap_hw[1]}x{self.heatmap_hw[0]}"


GRIDS = (Grid((32, 24), 1.0, 3), Grid((64, 48), 2.0, 11), Grid((96, 72), 3.0, 17))
SMALLEST_SHOWN_PX = 1e-3
NOISES = (0.0, 0.02, 0.05)
"""Deviation of the noise, as part of the peak."""


@dataclass(frozen=True)
class Error:
    """Distance from the truth in input px: mean, and 95th percentile."""

    decoder: str
    encoding: str
    noise: float
    grid: Grid
    mean_px: float
    p95_px: float


def study(
    decoders: Sequence[str] = ("argmax", "shift", "integral", "dark"), points: int = POINTS
) -> list[Error]:
    """Errors of every decoder, encoding, noise and size; the same at every run."""
    return [
        error
        for grid in GRIDS
        for encoding in ENCODINGS
        for noise in NOISES
        for error in one_case(grid, encoding, noise, decoders, points)
    ]


def one_case(
    grid: Grid, encoding: str, noise: float, decoders: Sequence[str], points: int
) -> list[Error]:
    """Errors of the decoders on the same maps."""
    random = np.random.default_rng(SEED)
    size_wh = np.array(grid.heatmap_hw[::-1], dtype=np.float64)
    truth_xy = random.uniform(MARGIN_CELLS, size_wh - 1 - MARGIN_CELLS, (1, points, 2))
    maps = ENCODINGS[encoding](truth_xy, np.ones((1, points)), grid.heatmap_hw, grid.sigma).targets
    noisy = maps + noise * random.standard_normal(maps.shape).astype(np.float32)
    return [measured(grid, encoding, noise, name, noisy, truth_xy) for name in decoders]


def measured(
    grid: Grid,
    encoding: str,
    noise: float,
    decoder: str,
    maps: NDArray[np.float32],
    truth_xy: NDArray[np.float64],
) -> Error:
    """Error of one decoder."""
    if decoder not in DECODERS:
        raise UsageError(f"decoder: expected one of {', '.join(DECODERS)}, got {decoder!r}")
    found = decode(maps, decoder, grid.blur_kernel)
    distance = STRIDE * np.linalg.norm(found.xy - truth_xy, axis=2)
    mean, p95 = float(distance.mean()), float(np.percentile(distance, 95))
    return Error(decoder, encoding, noise, grid, mean, p95)


def markdown(errors: Iterable[Error]) -> str:
    """A table: one line a decoder, encoding and noise; one column a size."""
    lines = [
        "| Encoding | Noise | Decoder | " + " | ".join(grid.label for grid in GRIDS) + " |",
        "| --- | ---: | --- |" + " ---: |" * len(GRIDS),
    ]
    cases: dict[tuple[str, float, str], dict[Grid, Error]] = {}
    for error in errors:
        key = (error.encoding, error.noise, error.decoder)
        cases.setdefault(key, {})[error.grid] = error
    for (encoding, noise, decoder), by_grid in cases.items():
        numbers = [f"{by_grid[grid].mean_px:.3f} ({by_grid[grid].p95_px:.3f})" for grid in GRIDS]
        lines.append(f"| {encoding} | {noise:g} | {decoder} | " + " | ".join(numbers) + " |")
    return "\n".join(lines) + "\n"


def plot(errors: Sequence[Error], path: Path) -> None:
    """Mean error by size, one panel a noise, sub-pixel encoding; PNG, SVG or PDF by the ending."""
    from livepose.evaluation.plots import figure_with, save

    figure, panels = figure_with(len(NOISES))
    for panel, noise in zip(panels, NOISES, strict=True):
        chosen = [one for one in errors if one.noise == noise and one.encoding == "sub-pixel"]
        for decoder in dict.fromkeys(one.decoder for one in chosen):
            line = [one for one in chosen if one.decoder == decoder]
            names = [one.grid.label for one in line]
            means = [max(one.mean_px, SMALLEST_SHOWN_PX) for one in line]
            panel.plot(names, means, marker="o", label=decoder)
        panel.set_title("clean" if noise == 0 else f"noise {noise:g} of the peak")
        panel.set_xlabel("heatmap (width x height)")
        panel.set_yscale("log")
    panels[0].set_ylabel("mean error, input px")
    panels[0].legend()
    save(figure, path)


def main(words: Sequence[str] | None = None) -> int:
    """``python -m studies.quantisation``."""
    from livepose.cli import guarded
    from livepose.evaluation.report import require_writable, write_text
    from studies import positive

    parser = ArgumentParser(prog="python -m studies.quantisation")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG, SVG or PDF")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the table, - is stdout")
    parser.add_argument("--points", type=positive, default=POINTS, metavar="N")
    arguments = parser.parse_args(words)

    def run() -> int:
        require_writable([arguments.markdown, arguments.plot])
        errors = study(points=arguments.points)
        write_text(arguments.markdown, markdown(errors))
        if arguments.plot is not None:
            plot(errors, arguments.plot)
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
