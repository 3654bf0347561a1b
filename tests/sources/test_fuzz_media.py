"""Damaged media: a sentence or what is left of it, never a traceback, a hang or much memory.

``python tests/sources/test_fuzz_media.py FOLDER SEED ROUNDS`` damages every file of a folder, and
prints what came of it as JSON.
"""

import json
import logging
import random
import signal
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.errors import LiveposeError
from livepose.sources import Excerpt, open_source

SEED, ROUNDS = 20, 24
LONGEST_S, MAX_FRAMES = 20, 40
NUMBERS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")
PARTS = (Excerpt(), Excerpt(), Excerpt(start_s=0.2), Excerpt(end_s=0.3, step=2))
KINDS = ("bits flipped", "head", "cut", "hole", "repeated", "numbers")
VIDEOS = ("a.mp4", "b.mkv", "c.ts", "d.avi", "e.mjpeg", "f.h264")
IMAGES = ("jpg", "png", "webp", "tif", "bmp", "ppm", "jp2", "gif", "avif", "heic")


def damaged(data: bytearray, kind: str, chance: random.Random) -> bytearray:
    """Those bytes, damaged in that way."""
    size = len(data)
    start, end = sorted(chance.randrange(size) for _ in range(2))
    if kind in ("cut", "hole", "repeated"):
        again = {"cut": size, "hole": end, "repeated": start}[kind]
        return data[: start if kind == "hole" else end] + data[again:]
    for _ in range(chance.randint(1, 20)):
        if kind == "bits flipped":
            data[chance.randrange(size)] ^= 1 << chance.randrange(8)
        elif kind == "head":
            data[chance.randrange(min(size, 400))] = chance.randrange(256)
        else:  # sizes and counts that are as large as can be, or nothing
            at = chance.randrange(max(1, size - 4))
            data[at : at + 4] = chance.choice(NUMBERS)
    return data


def outcome(path: Path, excerpt: Excerpt) -> str:
    """read, refused, or what must not be."""
    signal.alarm(LONGEST_S)
    try:
        with open_source(path, excerpt=excerpt) as source:
            for frame in islice(source, MAX_FRAMES):
                assert frame.image_bgr.ndim == 3
        return "read"
    except LiveposeError as error:
        return "refused" if error.exit_code in (2, 3) and "\n" not in str(error) else repr(error)
    except Exception as error:
        return f"traceback or hang: {error!r}"
    finally:
        signal.alarm(0)


def main(folder: Path, seed: int, rounds: int) -> None:
    logging.disable()
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError))
    counts, bad = Counter[str](), []
    for path in sorted(folder.iterdir()):
        for number in range(rounds):
            chance = random.Random(f"{seed} {path.name} {number}")
            kind, target = chance.choice(KINDS), folder.parent / f"damaged{path.suffix}"
            target.write_bytes(damaged(bytearray(path.read_bytes()), kind, chance))
            came = outcome(target, PARTS[number % len(PARTS)])
            counts[came] += 1
            if came not in ("read", "refused"):
                bad.append(f"{path.name} {number} {kind}: {came}")
    # Of this process alone: ru_maxrss begins with what its parent had when it forked.
    words = Path("/proc/self/status").read_text().split()
    peak_mib = int(words[words.index("VmHWM:") + 1]) // 1024
    print(json.dumps({"counts": counts, "bad": bad, "peak_mib": peak_mib}))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")
def test_no_damaged_file_ends_in_a_traceback_a_hang_or_much_memory(tmp_path: Path) -> None:
    from PIL import Image
    from pillow_heif import register_heif_opener
    from sources.drawn import write_video

    (folder := tmp_path / "whole").mkdir()
    for name in VIDEOS:
        codec = "mjpeg" if name.endswith("mjpeg") else "libx264"
        write_video(folder / name, [k / 25 for k in range(12)], codec=codec)
    register_heif_opener()
    drawn = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), (96, 64))
    for suffix in IMAGES:
        Image.fromarray(drawn).save(folder / f"p.{suffix}")
    command = [sys.executable, __file__, str(folder), str(SEED), str(ROUNDS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=400)
    # Decoders say nothing themselves; one that crashes has a signal for code.
    assert (ran.stderr, ran.returncode) == ("", 0)
    said = json.loads(ran.stdout)
    assert said["bad"] == []
    assert sum(said["counts"].values()) == ROUNDS * (len(VIDEOS) + len(IMAGES))
    assert min(said["counts"].values()) > ROUNDS
    assert said["peak_mib"] < 1000


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
