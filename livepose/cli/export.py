"""livepose export: pose weights as one file that runs without livepose."""

import logging
from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

logger = logging.getLogger(__name__)

FORMATS = ("onnx", "openvino", "torchscript")


def register(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Adds the command to livepose's parser."""
    parser = subparsers.add_parser(
        "export",
        help="write pose weights as one file that runs without livepose",
        description="Writes a file that takes crops (uint8, N x H x W x 3, blue first) and gives "
        "keypoints (N x K x 6: x, y, score, cov xx, xy, yy) in pixels of the crop, and compares "
        "it with livepose on real people.",
    )
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("--output", metavar="FILE", type=Path, required=True)
    parser.add_argument("--weights", default="default", help="a name or a .safetensors file")
    parser.add_argument("--heatmaps", action="store_true", help="heatmaps as a second output")
    parser.add_argument("--half", action="store_true", help="the network in float16")
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")


def run(arguments: Namespace) -> int:
    """Exports, and says how far keypoints moved."""
    from livepose.export import export

    worst_px = export(
        arguments.format,
        arguments.output,
        arguments.weights,
        heatmaps=arguments.heatmaps,
        half=arguments.half,
        overwrite=arguments.overwrite,
    )
    logger.warning(
        f"{arguments.output}: keypoints of four people lie at most {worst_px:.1g} px of the crop "
        "from livepose's"
    )
    return 0
