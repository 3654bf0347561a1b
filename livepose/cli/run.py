"""``livepose SOURCE | --camera 0 | --video FILE | --image … | --source ANY | --benchmark``."""

import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable

import livepose
from livepose.cli.checks import check_options
from livepose.cli.config import complete
from livepose.cli.options import add_options, options
from livepose.cli.run_options import (
    BatchOptions,
    BenchmarkOptions,
    LiveOptions,
    OutputOptions,
    RunOptions,
    SourceOptions,
    WindowOptions,
)
from livepose.cli.signals import ends_like_ctrl_c
from livepose.errors import UsageError
from livepose.settings import Settings

EXAMPLES = """examples:
  livepose --camera 0                                   the first webcam, in a window
  livepose --video in.mp4 --output out.mp4              a file with skeletons and its sound
  livepose --image photos/ --output drawn/              still pictures
  livepose --source rtsp://host/stream --json -         any source, poses as JSON lines
  livepose --camera 0 --camera 1 --json poses.jsonl     two windows, poses-1.jsonl, poses-2.jsonl
  livepose in/ --output-dir out --json --angles         every video and picture of a folder
  livepose --benchmark                                  how fast is this machine?
"""
GROUPS = {
    "source (one kind; several of it share the networks)": SourceOptions,
    "output (several at once are fine)": OutputOptions,
    "many files": BatchOptions,
    "live output": LiveOptions,
    "pipeline": Settings,
    "window": WindowOptions,
    "benchmark (with --benchmark; --json FILE saves it)": BenchmarkOptions,
}


def register(parser: ArgumentParser, commands: Iterable[str]) -> None:
    """Adds the options of the pipeline to ``parser``."""
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.description = "Finds the people in a picture and draws their skeletons, at frame rate."
    parser.epilog = EXAMPLES + "\nother commands: " + ", ".join(commands)
    parser.add_argument("--version", action="version", version=f"livepose {livepose.__version__}")
    for title, kind in GROUPS.items():
        add_options(parser.add_argument_group(title), kind)


def run(arguments: Namespace) -> int:
    """Plays the chosen source or sources, or measures."""
    arguments = complete(arguments, GROUPS.values())
    chosen = RunOptions(
        options(SourceOptions, arguments),
        options(OutputOptions, arguments),
        options(LiveOptions, arguments),
        options(WindowOptions, arguments),
        options(BenchmarkOptions, arguments),
        options(Settings, arguments),
        options(BatchOptions, arguments),
    )
    sources = chosen.sources.chosen()
    if chosen.benchmark.benchmark:
        from livepose.cli.measure import measure

        return measure(chosen)
    if is_batch(chosen):
        from livepose.cli.play_files import play_files

        return play_files(chosen)
    if not sources:
        raise UsageError(
            "nothing to look at: give --camera 0, --video FILE, --image PATH or --source ANY "
            "(livepose --help shows examples)"
        )
    check_options(chosen)
    with ends_like_ctrl_c():
        from livepose.cli.start import start, start_many

        (start if len(sources) == 1 else start_many)(chosen)
    return 0


def is_batch(chosen: RunOptions) -> bool:
    """Whether each file gets outputs of its own.

    Raises
    ------
    UsageError
        When options that go together do not, or a folder of videos has no place to go to.
    """
    batch, unnamed = chosen.batch, chosen.outputs.unnamed()
    if batch.output_dir is not None:
        if named := set(chosen.outputs.asked()) - set(unnamed):
            raise UsageError(
                f"with --output-dir outputs have no value, and {min(named)} has one; put the"
                " sources first: livepose in/ --output-dir out --json"
            )
        return True
    if unnamed:
        raise UsageError(
            f"{unnamed[0]} needs a value, or --output-dir DIR to name it by its source"
        )
    if batch != BatchOptions():
        raise UsageError(
            "--manifest, --shard, --workers, --ray and --recursive are for many files: they need"
            " --output-dir DIR"
        )
    # Path.is_dir raises where a name is too long.
    for path in filter(os.path.isdir, chosen.sources.paths):
        from livepose.sources import find_sources

        if any(one.kind == "video" for one in find_sources([path])):
            raise UsageError(
                f"{path} holds videos: add --output-dir DIR, and --output, --json, ... without a"
                " value, for each to be processed"
            )
    return False
