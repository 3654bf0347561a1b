"""Films the first seconds of livepose's window: a row of screenshots with their times.

    python -m benchmarks.first_seconds in.mp4 --output docs/first-seconds.png
    python -m benchmarks.first_seconds in.mp4 --output cold.png --empty-caches

The screen is Xvfb's (apt-get install xvfb). A screenshot is kept where the image changed in kind:
the window, each new line under it, the first skeleton. The times are printed as JSON.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from livepose.drawing import contact_sheet
from livepose.frame import ImageBgr

EVERY_S = 0.1
SCREEN_WH = (800, 600)
CHANGED = 0.004
"""Share of the screen that differs between two screenshots of the row."""


@contextmanager
def screen(folder: Path) -> Iterator[str]:
    """The name of a display whose image lies in a file of ``folder``."""
    if shutil.which("Xvfb") is None:
        sys.exit("first_seconds: Xvfb is missing: apt-get install xvfb")
    read_end, write_end = os.pipe()
    size = f"{SCREEN_WH[0]}x{SCREEN_WH[1]}x24"
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", size, "-fbdir", str(folder)]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        with os.fdopen(read_end) as answer:
            name = f":{answer.readline().strip()}"
        try:
            yield name
        finally:
            server.terminate()


def screenshot(folder: Path) -> ImageBgr:
    """The whole screen, from the XWD file that Xvfb keeps up to date."""
    content = (folder / "Xvfb_screen0").read_bytes()
    header = np.frombuffer(content, dtype=">u4", count=25)
    width, height, stride, colours = (int(header[field]) for field in (4, 5, 12, 19))
    start = int(header[0]) + 12 * colours
    rows = np.frombuffer(content, dtype=np.uint8, offset=start)[: height * stride]
    return rows.reshape(height, stride)[:, : width * 4].reshape(height, width, 4)[..., :3].copy()


def clip(
    video: Path, empty_caches: bool, seconds: float, most: int
) -> list[tuple[float, ImageBgr]]:
    """Screenshots with their seconds since the command, one for each change."""
    kept: list[tuple[float, ImageBgr]] = []
    with tempfile.TemporaryDirectory() as place, screen(Path(place)) as display:
        environment = {**os.environ, "DISPLAY": display}
        if empty_caches:
            own = {name: f"{place}/{name}" for name in ("NUMBA_CACHE_DIR", "LIVEPOSE_CACHE")}
            environment |= own
        started_s = time.perf_counter()
        command = [sys.executable, "-m", "livepose", "--detector", "embedded", str(video)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            while (at_s := time.perf_counter() - started_s) < seconds and process.poll() is None:
                seen = screenshot(Path(place))
                if not kept or changed(kept[-1][1], seen):
                    kept.append((at_s, seen))
                if len(kept) == most:
                    break
                time.sleep(EVERY_S)
            process.terminate()
    return kept


def changed(before: ImageBgr, now: ImageBgr) -> bool:
    """Whether so much differs that somebody would see it."""
    return float((cv2.absdiff(before, now).max(axis=2) > 24).mean()) > CHANGED


def main() -> None:
    """Films and writes the row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_seconds")
    parser.add_argument("video", type=Path)
    parser.add_argument("--output", type=Path, default=Path("first-seconds.png"))
    parser.add_argument("--empty-caches", action="store_true", help="as for a fresh user")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most")
    parser.add_argument("--shots", type=int, default=8, help="at most")
    asked = parser.parse_args()
    shots = clip(asked.video, asked.empty_caches, asked.seconds, asked.shots)
    labels = [f"{at_s:.1f} s" for at_s, _ in shots]
    row = contact_sheet([image for _, image in shots], min(4, len(shots)), 1600, labels)
    cv2.imwrite(str(asked.output), row)
    print(json.dumps({"shots_s": [round(at_s, 2) for at_s, _ in shots]}))


if __name__ == "__main__":
    main()
