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
from livepose.sinks.sink import check_file, check_image_name, check_outputs, refuse_existing

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
    idle = "--people, --frames: only with --benchmark; a part of a video is --start and --end"
    _refuse(chosen.benchmark != BenchmarkOptions(), idle)
    _refuse(
        not chosen.sources.named(),
        "nothing to look at: give --camera 0, --video FILE, --image PATH or --source ANY "
        "(livepose --help shows examples)",
    )
    if _is_batch(chosen):
        from livepose.cli.play_files import play_files

        return play_files(chosen)
    _check_outputs(chosen)
    from livepose.cli.start import start

    start(chosen)
    return 0


def _refuse(case: object, sentence: str) -> None:
    if case:
        raise UsageError(sentence)


def _flagged(outputs: OutputOptions) -> dict[str, str | Path]:
    """Where each output goes, by its flag."""
    return {f"--{name.replace('_', '-')}": path for name, path in outputs.asked().items()}


def _measure(chosen: RunOptions) -> None:
    """Measures a made scene, or the video that was given."""
    from livepose.benchmark.run import SCENE_WH, BenchmarkSettings, run_benchmark

    sources, asked, json = chosen.sources, chosen.benchmark, chosen.outputs.json
    named = sources.named()
    invented = bool(named) and asked.people is not None
    _refuse(invented, "--people makes its own scene: leave out the source")
    several = len(named) > 1 or sources.kind == "image"
    _refuse(several, f"--benchmark measures on one video or camera, got {', '.join(named)}")
    if json is not None:
        check_file(Path(json), overwrite=True)
    settings = BenchmarkSettings(
        source=named[0] if named else None,
        people=asked.people,
        frames=asked.frames,
        size_wh=sources.camera_size or SCENE_WH,
        excerpt=sources.excerpt,
        json_path=None if json is None else Path(json),
    )
    run_benchmark(chosen.settings, settings)


def _is_batch(chosen: RunOptions) -> bool:
    """Whether each file gets outputs of its own; refuses what does not go with that."""
    outputs, sources = _flagged(chosen.outputs), chosen.sources
    unnamed = [flag for flag, path in outputs.items() if path == NAMED_BY_SOURCE]
    if chosen.batch.output_dir is None:
        lone = "".join(unnamed[:1])
        _refuse(lone, f"{lone} needs a value, or --output-dir DIR to name it by its source")
        _refuse(
            chosen.batch != BatchOptions(),
            "--manifest, --shard, --workers, --ray and --recursive are for many files: they need"
            " --output-dir DIR",
        )
        for path in filter(is_folder, sources.paths):
            from livepose.sources import find_sources

            _refuse(
                any(one.kind == "video" for one in find_sources([path])),
                f"{path} holds videos: add --output-dir DIR, and --output, --json, ... without a"
                " value, for each to be processed",
            )
        return False
    named = min(outputs.keys() - set(unnamed), default="")
    _refuse(
        named,
        f"with --output-dir outputs have no value, and {named} has one; put the sources first:"
        " livepose in/ --output-dir out --json",
    )
    _refuse(not outputs, "--output-dir: say what is written by --json, --csv, --output, ...")
    lone = f"--rotate {sources.rotation} is for one source, not for many files"
    _refuse(sources.rotation, lone)
    shown = chosen.window.show or chosen.live.asked()
    _refuse(shown, "many files are shown nowhere: leave out --show and live outputs")
    return True


def _check_outputs(chosen: RunOptions) -> None:
    """Refuses files that cannot be written or would hurt something."""
    outputs, inputs = chosen.outputs, chosen.sources.files()
    lone = [flag for flag, path in _flagged(outputs).items() if path == "-"]
    wrong = f"{', '.join(lone)}: stdout (-) takes either --json or --csv; name a file"
    _refuse(lone not in ([], ["--json"], ["--csv"]), wrong)
    many = outputs.angles and lone == ["--csv"]
    _refuse(many, "--angles go into a CSV of their own: --csv needs a file, not -")
    rotated = ("--json", "--csv") if chosen.sources.rotation else ()
    for one in chosen.each():
        places = _flagged(one.outputs)
        check_outputs(places, inputs, overwrite=outputs.overwrite, rotated=rotated)
        for path in () if outputs.overwrite else one.outputs.more():
            refuse_existing(path)
    if outputs.sheet is not None:
        check_image_name(outputs.sheet)
    if sys.stdout is None and "-" in map(str, outputs.asked().values()):
        raise SinkError("cannot write to stdout: it is closed; name a file instead of -")
