"""``python -m studies.identity scenes | rest``."""

import logging
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from livepose.cli import guarded
from livepose.cli.progress import progress_bars
from studies import positive

if TYPE_CHECKING:
    from studies.identity.run import Choice

logger = logging.getLogger(f"livepose.{__name__}")

EXAMPLES = """examples:
  python -m studies.identity scenes --images val2017.zip --annotations val2017.json
  python -m studies.identity scenes --images ... --annotations ... --detector yolo11n --markdown -
  python -m studies.identity rest walk.mp4 gestures.mp4 --intervals 1,4,16,adaptive --plot rest.png
"""


def register(subparsers: Any) -> None:
    """Adds the command ``identity``."""
    from argparse import RawDescriptionHelpFormatter

    parser = subparsers.add_parser(
        "identity",
        help="who stays who: IDF1, switches, detection rest",
        description="Measures how well people keep their ids.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="scenes | rest")
    _add_scenes(parts.add_parser("scenes", help="made scenes of real people, against ByteTrack"))
    _add_rest(parts.add_parser("rest", help="what the detector's rest costs, on clips"))


def _add_scenes(parser: ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR|ZIP")
    parser.add_argument("--annotations", type=Path, required=True, metavar="FILE")
    parser.add_argument("--kinds", default=None, metavar="NAME,NAME,...", help="default: all")
    parser.add_argument("--seeds", type=positive, default=4, metavar="N", help="scenes a kind")
    parser.add_argument(
        "--detector", default="noise",
        help="noise (a model of detector and pose network), or auto, a name or a file",
    )  # fmt: skip
    parser.add_argument("--weights", default="default", help="pose weights: a name or a file")
    parser.add_argument(
        "--intervals", type=intervals, default=(1, None), metavar="N,...,adaptive",
        help="frames from one detection to the next",
    )  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="every scene's figures, - is stdout")
    parser.add_argument("--markdown", metavar="FILE", help="the table, - is stdout")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="against the interval")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="only shows the scenes")


def _add_rest(parser: ArgumentParser) -> None:
    parser.add_argument("clips", type=Path, nargs="+", metavar="CLIP")
    parser.add_argument("--detector", default="auto", help="auto, a name or a file")
    parser.add_argument("--weights", default="default", help="pose weights: a name or a file")
    parser.add_argument(
        "--intervals", type=intervals, default=(1, 2, 4, 8, 16, None), metavar="N,...,adaptive"
    )
    parser.add_argument("--frames", type=positive, metavar="N", help="of each clip, at most")
    parser.add_argument("--markdown", metavar="FILE", help="the table, - is stdout")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG, SVG or PDF")


def intervals(text: str) -> tuple[int | None, ...]:
    """``1,4,adaptive``."""
    words = text.split(",")
    wrong = [word for word in words if word != "adaptive" and not (word.isdigit() and int(word))]
    if wrong:
        raise ArgumentTypeError(f"expected numbers or adaptive, such as 1,4,adaptive; got {text!r}")
    return tuple(None if word == "adaptive" else int(word) for word in words)


def run(arguments: Namespace) -> int:
    """Plays, prints and writes what was asked for."""
    return _scenes(arguments) if arguments.part == "scenes" else _rest(arguments)


def _rest(arguments: Namespace) -> int:
    from livepose.evaluation.report import write_text
    from livepose.pipeline import Settings
    from studies.identity.rest import markdown, measure, plot

    settings = Settings(weights=arguments.weights, detector=arguments.detector)
    clips, frames = arguments.clips, arguments.frames
    rows = measure(clips, arguments.intervals, settings, frames)
    if arguments.markdown:
        write_text(arguments.markdown, markdown(rows))
    if arguments.plot:
        plot(rows, arguments.plot)
        logger.info(f"wrote {arguments.plot}")
    return 0


def _scenes(arguments: Namespace) -> int:
    from livepose.evaluation.report import as_json, write_text
    from studies.identity.plots import plot
    from studies.identity.run import run_scenes, save_sheet
    from studies.identity.summary import document, markdown, summarised

    chosen = choice(arguments)
    if arguments.sheet:
        save_sheet(chosen, arguments.sheet)
        logger.info(f"wrote {arguments.sheet}")
        return 0
    with progress_bars() as progress:
        done = progress("scenes", len(chosen.kinds) * chosen.seeds)
        everything = run_scenes(chosen, done)
    rows = summarised(everything)
    for line in markdown(rows).splitlines():
        logger.info(line)
    if arguments.markdown:
        write_text(arguments.markdown, markdown(rows))
    if arguments.json:
        write_text(arguments.json, as_json(document(rows, everything)))
    if arguments.plot:
        plot(rows, arguments.plot)
    return 0


def choice(arguments: Namespace) -> "Choice":
    """The options as one object."""
    from livepose.errors import UsageError
    from studies.identity.run import Choice
    from studies.identity.walks import KINDS

    kinds = tuple(KINDS) if arguments.kinds is None else tuple(arguments.kinds.split(","))
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UsageError(f"--kinds: expected some of {', '.join(KINDS)}, got {unknown[0]!r}")
    return Choice(
        images=arguments.images,
        annotations=arguments.annotations,
        kinds=kinds,
        seeds=arguments.seeds,
        detector=arguments.detector,
        weights=arguments.weights,
        intervals=arguments.intervals,
    )


def main(given: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    words = ["identity", *(sys.argv[1:] if given is None else given)]
    parser = ArgumentParser(prog="python -m studies")
    register(parser.add_subparsers(dest="command", required=True))
    return guarded(lambda: run(parser.parse_args(words)))


if __name__ == "__main__":
    sys.exit(main())
