"""``livepose SOURCE | --camera 0 | --video FILE | --image … | --source ANY | --benchmark``."""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livepose.cli.config import complete
from livepose.cli.live_checks import check_live
from livepose.cli.options import Command, options
from livepose.cli.process import ends_like_ctrl_c
from livepose.cli.run_options import (
    BatchOptions,
    BenchmarkOptions,
    LiveOptions,
    OutputOptions,
    RunOptions,
    SourceOptions,
    WindowOptions,
)
from livepose.errors import SinkError, UsageError
from livepose.settings import Settings
from livepose.sinks.claims import (
    check_file,
    check_outputs,
    check_picture_name,
    video_format,
)
from livepose.sinks.files import Rotation

EXAMPLES = """examples:
  livepose --camera 0                                   the first webcam, in a window
  livepose --video in.mp4 --output out.mp4              a file with skeletons and its sound
  livepose --image photos/ --output drawn/              still pictures
  livepose --source rtsp://host/stream --json -         any source, poses as JSON lines
  livepose --camera 0 --camera 1 --json poses.jsonl     side by side, poses-1.jsonl, poses-2.jsonl
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
COMMAND = Command(
    "Finds the people in a picture and draws their skeletons, at frame rate.",
    tuple(GROUPS.items()),
    epilog=EXAMPLES,
)


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


def measure(chosen: RunOptions) -> int:
    """Measures a made scene, or the video that was given."""
    from livepose.benchmark.run import SCENE_WH, BenchmarkSettings, run_benchmark

    sources, asked = chosen.sources.chosen(), chosen.benchmark
    if sources and asked.people is not None:
        raise UsageError("--people makes its own scene: leave out the source")
    if len(sources) > 1:
        raise UsageError(f"--benchmark measures on one source, got {len(sources)}")
    if sources and not isinstance(sources[0][1], str):
        raise UsageError("--benchmark measures on a video or camera; leave out --image")
    part, json = chosen.sources, chosen.outputs.json
    json_path = None if json is None else Path(json)
    if json_path is not None:
        check_file(json_path, overwrite=True)
    settings = BenchmarkSettings(
        source=sources[0][1] if sources else None,
        people=asked.people,
        frames=asked.frames,
        size_wh=part.camera_size or SCENE_WH,
        excerpt=part.excerpt,
        json_path=json_path,
        compare=asked.compare,
        limit=asked.compare_limit / 100,
    )
    return run_benchmark(chosen.settings, settings)


def is_batch(chosen: RunOptions) -> bool:
    """Whether each file gets outputs of its own."""
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


def check_options(options: RunOptions) -> None:
    """Refuses outputs that cannot be written or would hurt something."""
    outputs, live, sources = options.outputs, options.live, options.sources.chosen()
    numbers = range(1, len(sources) + 1) if len(sources) > 1 else ()
    each = [outputs.numbered(number) for number in numbers] or [outputs]
    lives = [live.numbered(number) for number in numbers] or [live]
    rotated = ("--json", "--csv") if options.sources.rotation else ()
    if options.sources.rotation:
        Rotation.parse(options.sources.rotation)
    check_outputs(
        by_option(each), options.sources.files(), overwrite=outputs.overwrite, rotated=rotated
    )
    if outputs.sheet is not None:
        check_picture_name(outputs.sheet)
    if outputs.output is not None and any(map(_is_video, sources)):
        video_format(outputs.output)
    names = [value if kind == "source" else "" for kind, value in sources]
    check_live(list(zip(lives, names, strict=True)))
    if sys.stdout is None and "-" in map(str, outputs.asked().values()):
        raise SinkError("cannot write to stdout: it is closed; name a file instead of -")


def by_option(each: Sequence[OutputOptions]) -> dict[str, str | Path]:
    """Where every output of every stream goes; streams are told apart by their numbers."""
    return {
        flag if number == 0 else f"{flag} ({number + 1})": path
        for number, outputs in enumerate(each)
        for flag, path in outputs.asked().items()
    }


def _is_video(chosen: tuple[str, Any]) -> bool:
    """Whether a source is one, and not pictures."""
    kind, value = chosen
    if kind != "source":
        return kind != "image"
    from livepose.paths import is_folder
    from livepose.sources.files import local_path, scheme_of
    from livepose.sources.open import is_pattern, is_still

    name = local_path(value) if scheme_of(value) == "file" else str(value)
    return "://" in name or not (is_folder(name) or is_pattern(name) or is_still(Path(name)))
