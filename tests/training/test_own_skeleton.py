"""A skeleton of one's own goes through training, into the weights."""

import json
from pathlib import Path

import pytest

from livepose.cli import main
from livepose.skeletons import COCO17, SKELETONS
from livepose.training import pose
from livepose.training.export import export_run
from livepose.weights import read_card

pytestmark = pytest.mark.usefixtures("tiny_network")


def test_training_keeps_to_the_file_and_names_what_it_lacks(
    data: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = [name for name in COCO17.keypoints if not name.endswith(("eye", "ear"))]
    own = tmp_path / "body13.toml"
    pairs = [[name, name.replace("left", "right")] for name in kept if name.startswith("left")]
    own.write_text(
        f'name = "body13"\nkeypoints = {json.dumps(kept)}\npairs = {json.dumps(pairs)}\n'
        f"edges = {json.dumps([pairs[0]])}\nsigmas = {[0.08] * len(kept)}\n"
    )
    arguments = [
        *("train", "pose", "--runs", str(tmp_path / "runs"), "--name", "own", "--data", data),
        *("--skeleton", str(own), "--size", "64x64", "--batch", "4", "--warm-up-steps", "2"),
        *("--device", "cpu", "--crops", "8"),
    ]
    assert main(arguments) == 0
    assert any("left_eye, right_eye, left_ear, right_ear" in line for line in caplog.messages)
    monkeypatch.setattr("livepose.training.export.build_network", pose.build_network)
    weights = tmp_path / "own.safetensors"
    export_run(tmp_path / "runs" / "own", weights)
    SKELETONS.pop("body13")  # whoever runs the weights has never seen the file
    card = read_card(weights)
    assert (card.skeleton, card.keypoints) == ("body13", 13)
    assert SKELETONS["body13"].keypoints == tuple(kept)
