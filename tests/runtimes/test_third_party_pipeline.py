"""Somebody else's network in the whole live pipeline: a clip in, poses on the person out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from livepose.cli import main

SIDECAR = """
input = "128x96"
alignment = "hrnet"
blur_kernel = 3
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
source = "PP-TinyPose"
"""
NOSE, LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP = 0, 5, 6, 11


@pytest.fixture
def tinypose(shared: Path, tmp_path: Path) -> Path:
    for suffix in (".xml", ".bin"):
        shutil.copyfile(shared / "peers" / f"tinypose_128x96_fp16{suffix}", tmp_path / f"t{suffix}")
    return tmp_path / "t.xml"


def test_a_photograph_goes_through_the_pipeline_with_somebody_elses_network(
    tinypose: Path, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tinypose.with_suffix(".toml").write_text(SIDECAR)
    picture, found = shared / "images" / "standing_dim_room.jpg", tmp_path / "found.jsonl"
    words = ["--image", str(picture), "--weights", str(tinypose), "--no-window"]
    assert main([*words, "--detector", "embedded", "--json", str(found)]) == 0
    assert "(t.xml) on openvino, cpu, f32" in capsys.readouterr().err
    lines = [json.loads(line) for line in found.read_text().splitlines()]
    (person,) = next(line["people"] for line in lines if "people" in line)
    x, y = np.array([point[:2] if point else (np.nan, np.nan) for point in person["keypoints"]]).T
    assert y[NOSE] < y[LEFT_SHOULDER] < y[LEFT_HIP]
    assert x[RIGHT_SHOULDER] < x[LEFT_SHOULDER], "he faces the camera"
    assert ((x > 379) & (x < 560) & (y > 28) & (y < 512)).mean() > 0.8


def test_a_network_without_its_sidecar_is_one_sentence_and_exit_code_4(
    tinypose: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = shared / "images" / "standing_dim_room.jpg"
    assert main(["--image", str(picture), "--weights", str(tinypose), "--no-window"]) == 4
    assert "t.xml needs a file t.toml beside it" in capsys.readouterr().err


def test_a_sidecar_with_another_size_is_one_sentence_and_exit_code_4(
    tinypose: Path, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tinypose.with_suffix(".toml").write_text(SIDECAR.replace("128x96", "256x192"))
    picture = shared / "images" / "standing_dim_room.jpg"
    assert main(["--image", str(picture), "--weights", str(tinypose), "--no-window"]) == 4
    assert "its model config says" in capsys.readouterr().err
