"""``livepose --benchmark``: what is to be measured, from the options."""

from pathlib import Path

from livepose.benchmark.run import SCENE_WH, Choice, run_benchmark
from livepose.cli.run_options import RunOptions
from livepose.errors import UsageError
from livepose.sinks.claims import check_file
from livepose.sources import Excerpt


def measure(chosen: RunOptions) -> int:
    """Measures a made scene, or the film that was given."""
    return run_benchmark(chosen.settings, choice(chosen))


def choice(chosen: RunOptions) -> Choice:
    """What is to be measured.

    Raises
    ------
    UsageError
        When the options contradict each other.
    """
    sources, asked = chosen.sources.chosen(), chosen.benchmark
    if sources and asked.people is not None:
        raise UsageError("--people makes its own scene: leave out the source")
    if len(sources) > 1:
        raise UsageError(f"--benchmark measures on one source, got {len(sources)}")
    if sources and not isinstance(sources[0][1], str):
        raise UsageError("--benchmark measures on a film or camera; leave out --image")
    json, asked_of = chosen.outputs.json, chosen.sources
    json_path = None if json is None else Path(json)
    if json_path is not None:
        check_file(json_path, overwrite=True)
    return Choice(
        source=sources[0][1] if sources else None,
        people=asked.people,
        frames=asked.frames,
        size_wh=chosen.sources.camera_size or SCENE_WH,
        excerpt=Excerpt(asked_of.start_s, asked_of.end_s, asked_of.step),
        json_path=json_path,
        compare=asked.compare,
        limit=asked.compare_limit / 100,
    )
