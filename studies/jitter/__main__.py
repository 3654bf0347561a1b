"""``python -m studies.jitter VIDEO | --synthetic``."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livepose.cli import guarded
from livepose.errors import UsageError

EXAMPLES = """examples:
  python -m studies.jitter --synthetic --plot jitter.png   on packaged photographs
  python -m studies.jitter --synthetic --images val2017.zip --annotations val2017.json
  python -m studies.jitter clip.mp4   on your own clip, without a known truth
"""


def register(subparsers: Any) -> None:
    """Adds the command ``jitter``."""
    from argparse import RawDescriptionHelpFormatter

    from studies import count, positive

    parser = subparsers.add_parser(
        "jitter",
        help="how much keypoints tremble and how late they are, by filter",
        description="Measures every settings of --smooth.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("video", nargs="?", metavar="VIDEO", help="a clip of your own")
    parser.add_argument("--synthetic", action="store_true", help="photographs, moved as known")
    parser.add_argument("--images", type=Path, metavar="DIR|ZIP", help="photographs, with:")
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="in COCO's form")
    parser.add_argument("--skip", type=count, default=0, metavar="N", help="photographs left out")
    parser.add_argument("--clips", type=positive, default=7, metavar="N", help="1 to 8 (default 7)")
    parser.add_argument("--seconds", type=float, default=3.3, metavar="S", help="length of each")
    parser.add_argument("--frames", type=positive, default=300, metavar="N", help="of a VIDEO")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keeps what the network saw")
    parser.add_argument("--weights", default="default", help="a name or a file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="jitter against lag, a picture")
    parser.add_argument("--markdown", default="-", metavar="FILE", help="the tables, - is stdout")


def run(arguments: Namespace) -> int:
    """Measures and writes the tables."""
    from livepose.cli.progress import progress_bars
    from livepose.evaluation.report import write_text
    from studies.jitter.run import StudySettings, synthetic, unlabelled

    if (arguments.video is None) == (not arguments.synthetic):
        raise UsageError("jitter: expected a VIDEO, or --synthetic, and not both")
    if (arguments.images is None) != (arguments.annotations is None):
        raise UsageError("jitter: --images and --annotations belong together")
    if not 1.0 <= arguments.seconds <= 60.0:
        raise UsageError(f"--seconds: expected 1 to 60, got {arguments.seconds:g}")
    settings = StudySettings(
        images=arguments.images,
        annotations=arguments.annotations,
        skip=arguments.skip,
        clips=arguments.clips,
        seconds=arguments.seconds,
        cache=arguments.cache,
        weights=arguments.weights,
        plot=arguments.plot,
    )
    with progress_bars() as progress:
        if arguments.synthetic:
            tables = synthetic(settings, progress)
        else:
            tables = unlabelled(_watched(arguments, progress), settings, progress)
    write_text(arguments.markdown, tables + "\n")
    if arguments.plot is not None and arguments.synthetic:
        print(f"livepose: wrote {arguments.plot}", file=sys.stderr)
    return 0


def _watched(arguments: Namespace, progress: Any) -> Any:
    from livepose.pipeline import PosePipeline
    from livepose.sources import open_video
    from studies.jitter.watch import watch

    source = open_video(arguments.video)
    pipeline = PosePipeline(smooth="none", weights=arguments.weights)
    return watch(pipeline, source, arguments.frames, progress(source.name, arguments.frames))


def main(given: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    words = ["jitter", *(sys.argv[1:] if given is None else given)]
    parser = ArgumentParser(prog="python -m studies")
    register(parser.add_subparsers(dest="command", required=True))
    return guarded(lambda: run(parser.parse_args(words)))


if __name__ == "__main__":
    sys.exit(main())
