"""Damaged media: a sentence or what is left of it, never a traceback, a hang or much memory."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener
from sources.drawn import write_video

SEED, ROUNDS = 20, 24
FUZZER = Path(__file__).with_name("fuzz_media.py")
VIDEOS = {
    "a.mp4": "libx264",
    "b.mkv": "libx264",
    "c.ts": "libx264",
    "d.avi": "libx264",
    "e.mjpeg": "mjpeg",
    "f.h264": "libx264",
}
IMAGES = ("jpg", "png", "webp", "tif", "bmp", "ppm", "jp2", "gif", "avif", "heic")


def make(folder: Path) -> None:
    """One small file of each kind."""
    for name, codec in VIDEOS.items():
        write_video(folder / name, [k / 25 for k in range(12)], codec=codec)
    register_heif_opener()
    drawn = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), (96, 64))
    for suffix in IMAGES:
        Image.fromarray(drawn).save(folder / f"p.{suffix}")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read in /proc")
def test_no_damaged_file_ends_in_a_traceback_a_hang_or_much_memory(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    make(tmp_path / "whole")
    command = [sys.executable, str(FUZZER), str(tmp_path / "whole"), str(SEED), str(ROUNDS)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert ran.stderr == ""  # decoders say nothing themselves
    assert ran.returncode == 0  # a decoder that crashes has a signal for code
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["bad"] == []
    assert sum(said["counts"].values()) == ROUNDS * (len(VIDEOS) + len(IMAGES))
    assert min(said["counts"].values()) > ROUNDS
    assert said["peak_mib"] < 1000
