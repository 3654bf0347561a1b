"""``livepose --camera 0 | --video FILE | --image … | --source ANY | --benchmark``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import livepose
from livepose.errors import UsageError

RUNTIMES = ("auto", "torch", "openvino", "cuda", "tensorrt")
PRECISIONS = ("auto", "f32", "bf16", "f16", "int8")
EXAMPLES = """examples:
  livepose --camera 0                                   the first webcam, in a window
  livepose --video in.mp4 --output out.mp4              a file with skeletons and its sound
  livepose --image photos/ --output drawn/              still pictures
  livepose --source rtsp://host/stream --json -         any source, poses as JSON lines
  livepose --camera 0 --camera 1 --json poses.jsonl     two at once: poses-1.jsonl, poses-2.jsonl
  livepose --benchmark                                  how fast is this machine?
"""


def register(parser: ArgumentParser, commands: Iterable[str]) -> None:
    """Adds the options of the pipeline to ``parser``."""
    from argparse import RawDescriptionHelpFormatter

    parser.formatter_class = RawDescriptionHelpFormatter
    parser.description = "Finds the people in a picture and draws their skeletons, at frame rate."
    parser.epilog = EXAMPLES + "\nother commands: " + ", ".join(commands)
    parser.add_argument("--version", action="version", version=f"livepose {livepose.__version__}")
    _add_sources(parser)
    _add_outputs(parser)
    _add_pipeline(parser)
    _add_look(parser)
    _add_benchmark(parser)


def _add_sources(parser: ArgumentParser) -> None:
    group = parser.add_argument_group(
        "source (one kind; several of it share the networks, without a window)"
    )
    one = group.add_mutually_exclusive_group()
    one.add_argument(
        "--camera", metavar="N", action="append", help="camera index, device path, name or URL"
    )
    one.add_argument("--video", metavar="FILE", action="append", help="video file")
    one.add_argument("--image", metavar="PATH", nargs="+", help="pictures, folders or globs")
    one.add_argument("--source", metavar="ANY", action="append", help="index, path, URL or glob")
    one.add_argument("--benchmark", action="store_true", help="measure speed (see below)")
    group.add_argument(
        "--camera-size",
        metavar="WxH",
        type=size_wh,
        help="asked of the camera, or of the benchmark's scene",
    )
    group.add_argument("--camera-fps", metavar="F", type=float, help="asked of the camera")
    group.add_argument("--rotate", type=int, choices=(0, 90, 180, 270), default=0)
    group.add_argument(
        "--open-timeout",
        metavar="S",
        type=positive_number,
        default=10.0,
        help="for the first frame of a camera or stream (10)",
    )
    group.add_argument(
        "--reconnect",
        metavar="S|forever",
        type=patience_s,
        help="wait so long for a camera that is away, also at the start (20, not at the start)",
    )
    group.add_argument(
        "--start", metavar="TIME", type=clock_s, default=0.0, help="of a video file: s or h:mm:ss"
    )
    group.add_argument("--end", metavar="TIME", type=clock_s, help="of a video file, likewise")
    group.add_argument(
        "--step", metavar="N", type=positive, default=1, help="every Nth frame of a video file"
    )


def _add_outputs(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("output (several at once are fine)")
    group.add_argument("--output", metavar="PATH", type=Path, help="drawn video, picture or folder")
    group.add_argument("--json", metavar="FILE", help="JSON lines, - is stdout")
    group.add_argument("--csv", metavar="FILE", type=Path)
    group.add_argument("--openpose-json", metavar="DIR", type=Path, help="BODY_25 files")
    group.add_argument("--coco-json", metavar="FILE", type=Path, help="COCO results")
    group.add_argument("--sheet", metavar="PNG", type=Path, help="a contact sheet of the film")
    group.add_argument("--show", action="store_true", help="a window also beside --output")
    group.add_argument("--no-window", action="store_true", help="never a window")


def _add_pipeline(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("pipeline")
    group.add_argument("--weights", default="default", help="pose weights: a name or a file")
    group.add_argument("--detector", default="auto", help="auto, none, a name or a file")
    group.add_argument("--detect-every", metavar="N", type=positive, help="default: adaptive")
    group.add_argument(
        "--detector-size",
        metavar="PX",
        type=positive,
        help="one size of its input; default: what suits it, and a larger one for small people",
    )
    group.add_argument("--detector-threshold", metavar="S", type=float)
    group.add_argument("--max-people", metavar="N", type=positive)
    group.add_argument(
        "--max-latency",
        metavar="MS",
        type=positive_number,
        help="from capture to screen; people take turns to hold it",
    )
    group.add_argument(
        "--target-fps", metavar="N", type=positive_number, help="frames a second to hold, likewise"
    )
    group.add_argument("--decode", choices=("dark", "shift", "argmax", "integral"), default="dark")
    group.add_argument(
        "--smooth", choices=("still", "balanced", "fast", "one-euro", "none"), default="balanced"
    )
    group.add_argument(
        "--predict", action="store_true", help="live: where keypoints are once they are shown"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    group.add_argument("--runtime", choices=RUNTIMES, default="auto")
    group.add_argument("--precision", choices=PRECISIONS, default="auto")


def _add_look(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("look")
    group.add_argument("--mirror", action="store_true", help="turn the picture like a mirror")
    group.add_argument("--boxes", action="store_true", help="draw boxes")
    group.add_argument("--uncertainty", action="store_true", help="draw 2-sigma ellipses")
    group.add_argument("--keypoint-threshold", metavar="S", type=float, default=0.2)


def _add_benchmark(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("benchmark (with --benchmark; --json FILE saves it)")
    group.add_argument("--people", metavar="N", type=count, help="people in the made scene")
    group.add_argument("--frames", metavar="N", type=positive, help="frames to measure")
    group.add_argument("--compare", metavar="OLD", type=Path, help="figures of an earlier --json")
    group.add_argument(
        "--compare-limit",
        metavar="PERCENT",
        type=float,
        default=10.0,
        help="exit code 6 when a figure is slower by more than this and than the noise (10)",
    )


def size_wh(text: str) -> tuple[int, int]:
    """``1280x720`` as (1280, 720)."""
    from argparse import ArgumentTypeError

    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise ArgumentTypeError(f"expected WIDTHxHEIGHT such as 1280x720, got {text!r}")
    return int(width), int(height)


def positive(text: str) -> int:
    """A whole number from 1 on."""
    from argparse import ArgumentTypeError

    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def positive_number(text: str) -> float:
    """A number above 0."""
    from argparse import ArgumentTypeError

    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def patience_s(text: str) -> float:
    """Seconds, or ``forever``."""
    return float("inf") if text == "forever" else positive_number(text)


def clock_s(text: str) -> float:
    """Seconds, or ``1:02:03.5`` as seconds."""
    from argparse import ArgumentTypeError

    parts = text.split(":")
    try:
        values = [float(part) for part in parts]
    except ValueError:
        values = [-1.0]
    if len(parts) > 3 or not all(0 <= value < float("inf") for value in values):
        raise ArgumentTypeError(f"expected seconds or h:mm:ss, got {text!r}")
    return float(sum(value * 60**place for place, value in enumerate(reversed(values))))


def count(text: str) -> int:
    """A whole number from 0 on."""
    return 0 if text == "0" else positive(text)


def run(arguments: Namespace) -> int:
    """Plays the chosen source or sources, or measures."""
    arguments = one_or_several(arguments)
    if arguments.several:
        from livepose.cli.play_many import play_many

        play_many(arguments, settings(arguments))
        return 0
    if arguments.benchmark:
        from livepose.benchmark.run import run_benchmark

        return run_benchmark(settings(arguments), benchmark_choice(arguments))
    if chosen_source(arguments) is None:
        raise UsageError(
            "nothing to look at: give --camera 0, --video FILE, --image PATH or --source ANY "
            "(livepose --help shows examples)"
        )
    from livepose.cli.play import play

    play(arguments, settings(arguments))
    return 0


def one_or_several(arguments: Namespace) -> Namespace:
    """The options with one source in its place, or with ``several``: kind and value of each."""
    plain = Namespace(**vars(arguments), several=[])
    for kind in ("camera", "video", "source"):
        values = getattr(arguments, kind) or [None]
        setattr(plain, kind, values[0])
        if len(values) > 1:
            plain.several = [(kind, value) for value in values]
    return plain


def chosen_source(arguments: Namespace) -> Any:
    """What the user asked to look at, or None."""
    for name in ("camera", "video", "image", "source"):
        value = getattr(arguments, name)
        if value is not None:
            return value
    return None


def benchmark_choice(arguments: Namespace) -> Any:
    """What is to be measured."""
    from livepose.benchmark.run import SCENE_WH, Choice

    if arguments.people is not None and arguments.source is not None:
        raise UsageError("--people makes its own scene: leave out --source")
    return Choice(
        source=arguments.source,
        people=arguments.people,
        frames=arguments.frames,
        size_wh=arguments.camera_size or SCENE_WH,
        json_path=None if arguments.json is None else Path(arguments.json),
        compare=arguments.compare,
        limit=arguments.compare_limit / 100,
    )


def settings(arguments: Namespace) -> Any:
    """The options as the pipeline's settings."""
    from livepose.pipeline import Settings

    return Settings(
        weights=arguments.weights,
        detector=arguments.detector,
        runtime=arguments.runtime,
        device=arguments.device,
        precision=arguments.precision,
        decode=arguments.decode,
        smooth=arguments.smooth,
        predict=arguments.predict,
        detect_every=arguments.detect_every,
        detector_size_px=arguments.detector_size,
        detector_threshold=arguments.detector_threshold,
        max_people=arguments.max_people,
        max_latency_ms=arguments.max_latency,
        target_fps=arguments.target_fps,
    )
