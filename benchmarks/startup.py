"""How long from the command to the first pose: ``python -m benchmarks.startup``.

Starts ``livepose`` several times as a user would, on a small made video, and notes when the JSON
header (everything is loaded and warm) and the first frame arrive. The first start may convert and
compile; it is told apart. ``--package FOLDER`` measures another checkout in turn with this one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROUNDS = 5
HERE = Path(__file__).resolve().parent.parent


def made_video(path: Path) -> Path:
    """A second of the made scene."""
    from livepose.offline.scene import WalkingPeople
    from livepose.poses import Poses
    from livepose.sinks import VideoSink

    with VideoSink(path) as sink:
        for frame in WalkingPeople(1, 30):
            sink.write(frame, Poses.empty())
    return path


def one_start(package: Path, video: Path) -> dict[str, float]:
    """Seconds to the header, to the first pose, and of processor time in all."""
    command = [sys.executable, "-m", "livepose", "--video", str(video), "--json", "-"]
    command += ["--no-window", "--detector", "embedded"]
    environment = {**os.environ, "PYTHONPATH": str(package)}
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


def main() -> None:
    """Measures the checkouts in turn, prints medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, action="append", default=[])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    packages = [HERE, *arguments.package]
    with tempfile.TemporaryDirectory() as folder:
        video = made_video(Path(folder) / "made.mp4")
        first = {str(package): one_start(package, video) for package in packages}
        rounds = [
            {str(package): one_start(package, video) for package in packages}
            for _ in range(arguments.rounds)
        ]
    told = {
        package: {
            "first_start": figures,
            "later_starts_median": {
                name: round(float(np.median([one[package][name] for one in rounds])), 2)
                for name in figures
            },
        }
        for package, figures in first.items()
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
