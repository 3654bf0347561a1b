"""How long from the command to the first pose: ``python -m benchmarks.startup``.

Starts ``livepose`` several times as a user would, on a small made video, and notes when the JSON
header (everything is loaded and warm) and the first frame arrive. The very first start has empty
caches: it converts the networks and compiles every kernel, and is told apart. ``--package FOLDER``
measures another checkout in turn with this one.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plan import Plan

logger = logging.getLogger(f"livepose.{__name__}")

ROUNDS = 5
HERE = Path(__file__).resolve().parent.parent


def made_video(path: Path) -> Path:
    """A second of the made scene."""
    from livepose.benchmark.scene import WalkingPeople
    from livepose.poses import Poses
    from livepose.sinks.video import VideoSink

    with VideoSink(path) as sink:
        for frame in WalkingPeople(1, 30):
            sink.write(frame, Poses.empty())
    return path


def one_start(package: Path, video: Path, caches: Path) -> dict[str, float]:
    """Seconds to the header, to the first pose, and of processor time in all.

    What is converted and compiled is kept in ``caches``.
    """
    command = [sys.executable, "-m", "livepose", "--video", str(video), "--json", "-"]
    command += ["--no-window", "--detector", "embedded"]
    own = {"NUMBA_CACHE_DIR": str(caches / "numba"), "LIVEPOSE_CACHE": str(caches / "livepose")}
    environment = {**os.environ, "PYTHONPATH": str(package), **own}
    before = os.times()
    start_s = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=package,  # ``-m`` looks there first
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        header_s = time.perf_counter() - start_s
        process.stdout.readline()
        first_s = time.perf_counter() - start_s
        process.terminate()
    after = os.times()
    cpu_s = after.children_user + after.children_system
    cpu_s -= before.children_user + before.children_system
    return {"header_s": header_s, "first_pose_s": first_s, "cpu_s": cpu_s}


def starts(packages: Sequence[Path], rounds: int) -> dict[str, dict[str, Any]]:
    """The first start and the median of the later ones, of checkouts in turn, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        video = made_video(Path(folder) / "made.mp4")
        caches = {package: Path(folder) / str(index) for index, package in enumerate(packages)}

        def each() -> dict[str, dict[str, float]]:
            return {
                str(package): one_start(package, video, caches[package]) for package in packages
            }

        first = each()
        later = [each() for _ in range(rounds)]
    return {
        package: {
            "first_start": {name: round(value, 2) for name, value in figures.items()},
            "later_starts_median": {
                name: round(float(np.median([one[package][name] for one in later])), 2)
                for name in figures
            },
        }
        for package, figures in first.items()
    }


def measure_startup(plan: Plan) -> dict[str, Any]:
    """Starts of one checkout, as a part of the one document."""
    logger.info("starting livepose several times")
    return starts([HERE], 1 if plan.quick else ROUNDS)[str(HERE)]


def main() -> None:
    """Measures the checkouts in turn, prints medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, action="append", default=[])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    print(json.dumps(starts([HERE, *arguments.package], arguments.rounds), indent=2))


if __name__ == "__main__":
    main()
