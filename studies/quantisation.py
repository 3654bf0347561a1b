"""Why decoding matters at low resolution: known sub-pixel points through encoding and back.

    python -m studies.quantisation --plot FILE --markdown FILE

No data and no network: points are drawn at random, encoded as heatmaps of three sizes, and decoded
by each decoder, clean and with noise. The error is in pixels of the network's input.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from livepose.cli import guarded
from livepose.evaluation.report import (
    figure_with,
    markdown_table,
    require_writable,
    save,
    write_text,
)
from livepose.heatmaps import decode, encode_dark, encode_standard
from studies import positive

STRIDE = 4
SEED = 6278
MARGIN_CELLS = 4.0
ENCODINGS = {"sub-pixel": encode_dark, "quantised": encode_standard}
DECODERS = ("argmax", "shift", "integral", "dark")
GRIDS = {"24x32": ((32, 24), 1.0, 3), "48x64": ((64, 48), 2.0, 11), "72x96": ((96, 72), 3.0, 17)}
"""Heatmap, width x height: its size, and the Gaussian and DARK's kernel it is trained with."""
SMALLEST_SHOWN_PX = 1e-3
NOISES = (0.0, 0.02, 0.05)
"""Deviation of the noise, as part of the peak."""

Case = tuple[str, float, str]
Errors = dict[Case, dict[str, tuple[float, float]]]
"""By encoding, noise and decoder, and then by grid: mean and 95th percentile in input px."""


def study(points: int) -> Errors:
    """Errors of every decoder, encoding, noise and size; the same at every run."""
    found: Errors = {}
    for grid, (heatmap_hw, sigma, blur_kernel) in GRIDS.items():
        for encoding, encode in ENCODINGS.items():
            for noise in NOISES:
                random = np.random.default_rng(SEED)
                high = np.array(heatmap_hw[::-1]) - 1 - MARGIN_CELLS
                truth_xy = random.uniform(MARGIN_CELLS, high, (1, points, 2))
                maps = encode(truth_xy, np.ones((1, points)), heatmap_hw, sigma).targets
                maps = maps + noise * random.standard_normal(maps.shape).astype(np.float32)
                for decoder in DECODERS:
                    off = decode(maps, decoder, blur_kernel).xy - truth_xy
                    away_px = STRIDE * np.linalg.norm(off, axis=2)
                    error = float(away_px.mean()), float(np.percentile(away_px, 95))
                    found.setdefault((encoding, noise, decoder), {})[grid] = error
    return found


def markdown(errors: Errors) -> str:
    """A table: one line a decoder, encoding and noise; one column a size."""
    rows = [
        [encoding, f"{noise:g}", decoder, *map("{0[0]:.3f} ({0[1]:.3f})".format, by_grid.values())]
        for (encoding, noise, decoder), by_grid in errors.items()
    ]
    return markdown_table(["Encoding", "Noise", "Decoder", *GRIDS], rows, 3) + "\n"


def plot(errors: Errors, path: Path) -> None:
    """Mean error by size, one panel a noise, sub-pixel encoding; PNG, SVG or PDF by the ending."""
    figure, panels = figure_with(len(NOISES))
    for panel, noise in zip(panels, NOISES, strict=True):
        for decoder in DECODERS:
            by_grid = errors["sub-pixel", noise, decoder]
            means = [max(mean, SMALLEST_SHOWN_PX) for mean, _ in by_grid.values()]
            panel.plot(list(by_grid), means, marker="o", label=decoder)
        panel.set_title("clean" if noise == 0 else f"noise {noise:g} of the peak")
        panel.set(xlabel="heatmap (width x height)", yscale="log")
    panels[0].set_ylabel("mean error, input px")
    panels[0].legend()
    save(figure, path)


def main(words: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = ArgumentParser(prog="python -m studies.quantisation")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG, SVG or PDF")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the table, - is stdout")
    parser.add_argument("--points", type=positive, default=2000, metavar="N")
    arguments = parser.parse_args(words)

    def run() -> int:
        require_writable([arguments.markdown, arguments.plot])
        errors = study(arguments.points)
        write_text(arguments.markdown, markdown(errors))
        if arguments.plot is not None:
            plot(errors, arguments.plot)
        return 0

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
