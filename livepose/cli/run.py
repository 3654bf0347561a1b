"""``livepose SOURCE | --camera 0 | --video FILE | --image … | --source ANY | --benchmark``.

What cannot work is refused here, before anything is loaded.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from livepose.cli.options import Command
from livepose.cli.run_options import BatchOptions, BenchmarkOptions, RunOptions
from livepose.errors import SinkError, UsageError
from livepose.settings import flag_of
from livepose.sinks.sink import check_file, check_image_name, check_outputs, video_format

EXAMPLES = """examples:
  livepose --camera 0                                   the first webcam, in a window
  livepose --video in.mp4 --output out.mp4              a file with skeletons and its sound
  livepose --image photos/ --output drawn/              still images
  livepose --source rtsp://host/stream --json -         any source, poses as JSON lines
  livepose --camera 0 --camera 1 --json poses.jsonl     side by side, poses-1.jsonl, poses-2.jsonl
  livepose in/ --output-dir out --json --angles         every video and image of a folder
  livepose --benchmark                                  how fast is this machine?
"""


def run(given: Namespace) -> int:
    """Plays the chosen source or sources, or measures."""
    chosen = RunOptions.given(given)
    if chosen.benchmark.benchmark:
        _measure(chosen)
        return 0
    if idle := [flag_of(entry) for entry in fields(BenchmarkOptions) if entry.name in given]:
        raise UsageError(
            f"{', '.join(idle)}: only with --benchmark; a part of a video is --start and --end"
        )
    if _is_batch(chosen):
        from livepose.cli.play_files import play_files

        return play_files(chosen)
    if not chosen.sources.chosen():
        raise UsageError(
            "nothing to look at: give --camera 0, --video FILE, --image PATH or --source ANY "
            "(livepose --help shows examples)"
        )
    _check(chosen)
    from livepose.cli.start import start

    start(chosen)
    return 0


RUN = Command(
    "Finds the people in an image and draws their skeletons, at frame rate.",
    [RunOptions],
    run,
    epilog=EXAMPLES,
)


def _measure(chosen: RunOptions) -> None:
    """Measures a made scene, or the video that was given."""
    from livepose.benchmark.run import SCENE_WH, BenchmarkSettings, run_benchmark

    sources, asked = chosen.sources.chosen(), chosen.benchmark
    if sources and asked.people is not None:
        raise UsageError("--people makes its own scene: leave out the source")
    if len(sources) > 1:
        raise UsageError(f"--benchmark measures on one source, got {len(sources)}")
    if sources and not isinstance(sources[0][1], str):
        raise UsageError("--benchmark measures on a video or camera; leave out --image")
    json_path = None if chosen.outputs.json is None else Path(chosen.outputs.json)
    if json_path is not None:
        check_file(json_path, overwrite=True)
    settings = BenchmarkSettings(
        source=sources[0][1] if sources else None,
        people=asked.people,
        frames=asked.frames,
        size_wh=chosen.sources.camera_size or SCENE_WH,
        excerpt=chosen.sources.excerpt,
        json_path=json_path,
    )
    run_benchmark(chosen.settings, settings)


def _is_batch(chosen: RunOptions) -> bool:
    """Whether each file gets outputs of its own."""
    unnamed = chosen.outputs.unnamed()
    if chosen.batch.output_dir is not None:
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
    if chosen.batch != BatchOptions():
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


def _check(chosen: RunOptions) -> None:
    """Refuses outputs that cannot be written or would hurt something."""
    outputs, sources, rotation = chosen.outputs, chosen.sources.chosen(), chosen.sources.rotation
    each = chosen.each()
    # Streams are told apart by their numbers.
    by_option = {
        flag if number == 1 else f"{flag} ({number})": path
        for number, one in enumerate(each, 1)
        for flag, path in one.outputs.asked().items()
    }
    rotated = ("--json", "--csv") if rotation else ()
    check_outputs(by_option, chosen.sources.files(), overwrite=outputs.overwrite, rotated=rotated)
    if outputs.sheet is not None:
        check_image_name(outputs.sheet)
    if outputs.output is not None and any(is_video(*one) for one in sources):
        video_format(outputs.output)
    _check_live(each)
    if sys.stdout is None and "-" in map(str, outputs.asked().values()):
        raise SinkError("cannot write to stdout: it is closed; name a file instead of -")


def is_video(kind: str, value: Any) -> bool:
    """Whether a source is one, and not images."""
    if kind != "source":
        return kind != "image"
    from livepose.paths import is_folder
    from livepose.sources.files import local_path, scheme_of
    from livepose.sources.open import is_pattern, is_still

    name = local_path(value) if scheme_of(value) == "file" else str(value)
    return "://" in name or not (is_folder(name) or is_pattern(name) or is_still(Path(name)))


def _check_live(each: Sequence[RunOptions]) -> None:
    """Refuses addresses that are wrong, taken or open to others, and a camera that is not there."""
    from livepose.live.addresses import listen

    live, ports = each[0].live, dict[int, str]()
    for flag, host, port in _listening(each):
        if port in ports:
            raise UsageError(f"{ports[port]} and {flag} both want port {port}; give each its own")
        ports[port] = flag
        listen(host, port).close()
    if live.serve_cert is not None:
        from livepose.live.endpoint import tls_from

        tls_from(live.serve_cert)
    if live.virtual_camera is not None:
        from livepose.live.virtual_camera import check_virtual_camera

        check_virtual_camera(live.virtual_camera)


def _listening(each: Sequence[RunOptions]) -> Iterator[tuple[str, str, int]]:
    """Flag, host and port of every server; all other addresses are resolved."""
    from livepose.live.addresses import BusAddress, require_private

    for number, one in enumerate(each):
        live, (kind, value) = one.live, one.sources.chosen()[number]
        for address in map(BusAddress.parse, live.send):
            if address.scheme == "ws":
                yield f"--send {address.url}", address.host, address.port
            else:
                address.resolved()
        if (at := live.served_at(value if kind == "source" else "")) is not None:
            require_private(at[0], live.serve_self_signed or live.serve_cert is not None)
            yield "--serve", *at
    if each[0].live.health is not None:
        yield "--health", "127.0.0.1", each[0].live.health
