"""``livepose SOURCE | --camera 0 | --video FILE | --image … | --source ANY | --benchmark``.

What cannot work is refused here, before anything is loaded.
"""

import sys
from pathlib import Path

from livepose.cli.options import command
from livepose.cli.run_options import (
    NAMED_BY_SOURCE,
    BatchOptions,
    BenchmarkOptions,
    OutputOptions,
    RunOptions,
)
from livepose.errors import SinkError, UsageError
from livepose.paths import is_folder
from livepose.sinks.sink import check_file, check_image_name, check_outputs

EXAMPLES = """examples:
  livepose --camera 0                                   the first webcam, in a window
  livepose --video in.mp4 --output out.mp4              a file with skeletons and its sound
  livepose --image photos/ --output drawn/              still images
  livepose --source rtsp://host/stream --json -         any source, poses as JSON lines
  livepose --camera 0 --camera 1 --json poses.jsonl     side by side, poses-1.jsonl, poses-2.jsonl
  livepose in/ --output-dir out --json --angles         every video and image of a folder
  livepose --benchmark                                  how fast is this machine?
"""


@command("Finds the people in an image and draws their skeletons, at frame rate.", EXAMPLES)
def run(chosen: RunOptions) -> int:
    """Plays the chosen source or sources, or measures."""
    if chosen.benchmark.benchmark:
        _measure(chosen)
        return 0
    if chosen.benchmark != BenchmarkOptions():
        raise UsageError(
            "--people, --frames: only with --benchmark; a part of a video is --start and --end"
        )
    if not chosen.sources.named():
        raise UsageError(
            "nothing to look at: give --camera 0, --video FILE, --image PATH or --source ANY "
            "(livepose --help shows examples)"
        )
    if chosen.batch.output_dir is not None:
        _check_batch(chosen)
        from livepose.cli.play_files import play_files

        return play_files(chosen)
    _check_run(chosen)
    from livepose.cli.start import start

    start(chosen)
    return 0


def _flagged(outputs: OutputOptions) -> dict[str, str | Path]:
    """Where each output goes, by its flag."""
    return {f"--{name.replace('_', '-')}": path for name, path in outputs.asked().items()}


def _refuse_unnamed(outputs: OutputOptions) -> None:
    for flag, path in _flagged(outputs).items():
        if path == NAMED_BY_SOURCE:
            raise UsageError(f"{flag} needs a value, or --output-dir DIR to name it by its source")


def _measure(chosen: RunOptions) -> None:
    """Measures a made scene, or the video that was given."""
    sources, asked, json = chosen.sources, chosen.benchmark, chosen.outputs.json
    named = sources.named()
    _refuse_unnamed(chosen.outputs)
    if chosen.outputs.asked().keys() - {"json"} or chosen.batch != BatchOptions():
        raise UsageError("--benchmark writes --json FILE and nothing else")
    if named and asked.people is not None:
        raise UsageError("--people makes its own scene: leave out the source")
    if len(named) > 1 or sources.kind == "image":
        raise UsageError(f"--benchmark measures on one video or camera, got {', '.join(named)}")
    if isinstance(json, Path):
        check_file(json, overwrite=True)
    from livepose.benchmark.run import SCENE_WH, BenchmarkSettings, run_benchmark

    settings = BenchmarkSettings(
        source=named[0] if named else None,
        people=asked.people,
        frames=asked.frames,
        size_wh=sources.camera_size or SCENE_WH,
        excerpt=sources.excerpt,
        json=json,
    )
    run_benchmark(chosen.settings, settings)


def _check_batch(chosen: RunOptions) -> None:
    """Refuses what does not go with outputs for each file."""
    outputs, rotation = _flagged(chosen.outputs), chosen.sources.rotation
    if not outputs:
        raise UsageError("--output-dir: say what is written by --json, --csv, --output, ...")
    for flag, path in outputs.items():
        if path != NAMED_BY_SOURCE:
            raise UsageError(
                f"with --output-dir outputs have no value, and {flag} has one; put the sources "
                "first: livepose in/ --output-dir out --json"
            )
    if rotation is not None:
        raise UsageError(f"--rotate {rotation} is for one source, not for many files")
    if chosen.window.show or chosen.live.asked():
        raise UsageError("many files are shown nowhere: leave out --show and live outputs")


def _check_run(chosen: RunOptions) -> None:
    """Refuses what is for many files, and outputs that fail or would hurt something."""
    outputs, inputs = chosen.outputs, chosen.sources.files()
    _refuse_unnamed(outputs)
    if chosen.batch != BatchOptions():
        raise UsageError(
            "--manifest, --shard, --workers, --ray and --recursive are for many files: they need"
            " --output-dir DIR"
        )
    for path in filter(is_folder, chosen.sources.paths):
        from livepose.sources import find_sources

        if any(one.kind == "video" for one in find_sources([path])):
            raise UsageError(
                f"{path} holds videos: add --output-dir DIR, and --output, --json, ... without a"
                " value, for each to be processed"
            )
    lone = [flag for flag, path in _flagged(outputs).items() if path == "-"]
    if lone not in ([], ["--json"], ["--csv"]):
        wrong = ", ".join(lone)
        raise UsageError(f"{wrong}: stdout (-) takes either --json or --csv; name a file")
    if outputs.angles and lone == ["--csv"]:
        raise UsageError("--angles go into a CSV of their own: --csv needs a file, not -")
    rotated = ("--json", "--csv") if chosen.sources.rotation else ()
    for one in chosen.each():
        beside = {f"{path.name}, which is written beside,": path for path in one.outputs.more()}
        places = {**beside, **_flagged(one.outputs)}
        check_outputs(places, inputs, overwrite=outputs.overwrite, rotated=rotated)
    if outputs.sheet is not None:
        check_image_name(outputs.sheet)
    if sys.stdout is None and lone:
        raise SinkError("cannot write to stdout: it is closed; name a file instead of -")
