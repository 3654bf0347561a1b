"""INT8 ranges: found where the numbers are, measured honestly, written only if they cost little."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from livepose.calibration import int8 as quantising
from livepose.calibration import pair
from livepose.calibration.int8 import Histogram, quantise, require_kept
from livepose.cli import main
from livepose.errors import DataError, GateError
from livepose.evaluation.dataset import open_people
from livepose.runtimes.activation_ranges import ranges_path, read_ranges, write_ranges
from livepose.weights import find_weights, read_card

KEPT = {"ap_f32": 50.0, "ap_int8": 49.6, "shift_px_int8": 0.1}


def test_limits_are_alike_on_both_sides_where_numbers_fall_below_nought():
    histogram = Histogram()
    histogram.add(np.random.default_rng(0).uniform(-3, 1, (1, 50_000)).astype(np.float32))
    low, high = histogram.limits()
    assert low == -high
    assert high == pytest.approx(3, rel=0.02)


def test_what_costs_too_much_is_refused():
    require_kept(KEPT)
    with pytest.raises(GateError, match=r"INT8 leaves 49.40 of 50.00 AP, at least 99%"):
        require_kept({**KEPT, "ap_int8": 49.4})
    for moved_px in (0.31, float("nan")):
        with pytest.raises(GateError, match="INT8 moves keypoints by"):
            require_kept({**KEPT, "shift_px_int8": moved_px})


def some(folder, images):
    return open_people(folder / "images.zip", folder / "annotations.json", images)


def test_ranges_of_the_embedded_weights_on_a_few_images(said, shared, tmp_path, monkeypatch):
    weights, coco = find_weights("default"), shared / "data" / "coco"
    monkeypatch.setattr(quantising, "KEPT_AP", 0.5)  # the AP of a few people is no steady figure
    monkeypatch.setattr(quantising, "SHIFT_CROPS", 8)
    ranges = quantise(weights, some(coco / "train", 8), some(coco / "dev", 8), 8)
    told = ranges.measured
    assert told["crops"] == 8 and told["people"] >= 4
    assert 0 < told["shift_px_f32"] < 0.05
    assert told["shift_px_f32"] < told["shift_px_int8"] < 0.3
    assert not {"network.conv1", "network.final_layer"} & ranges.limits.keys()
    assert len(ranges.limits) > 250
    copy = Path(shutil.copy(weights, tmp_path))
    write_ranges(ranges_path(copy), ranges)
    assert read_ranges(copy, read_card(copy).sha256) == ranges
    one = some(coco / "dev", 1)
    with pytest.raises(DataError, match="need 8 people or more"):
        quantise(weights, one, one, 256, lambda line: None)


def test_the_command_refuses_what_is_no_pair_and_other_peoples_networks(tmp_path, capsys):
    assert pair("a/b.zip:c.json") == (Path("a/b.zip"), Path("c.json"))
    with pytest.raises(SystemExit) as caught:
        main(["quantise", "--data", "x", "--dev", "y:z"])
    assert caught.value.code == 2
    assert "expected IMAGES:ANNOTATIONS, got 'x'" in capsys.readouterr().err
    (tmp_path / "n.onnx").touch()
    words = ["quantise", "--weights", str(tmp_path / "n.onnx"), "--data", "a:b", "--dev", "a:b"]
    assert main(words) == 2
    assert "INT8 ranges are for livepose's own weights" in capsys.readouterr().err
