"""INT8: right for the weights that it was made for, refused for others, quicker or not taken."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from livepose.runtimes import open_runtime, select, verify
from livepose.runtimes.activation_ranges import (
    ActivationRanges,
    RangesError,
    ranges_path,
    read_ranges,
    write_ranges,
)
from livepose.runtimes.int8 import convolutions, entering, insert_ranges
from livepose.runtimes.openvino import ov
from livepose.runtimes.openvino_pose import PoseNetwork
from livepose.runtimes.verify import keypoint_shift, probe_crops
from livepose.weights import find_weights, read_card


@pytest.fixture
def resnet(resnet_file, tmp_path):
    """A copy of the small network with ranges beside it."""
    path = Path(shutil.copy(resnet_file, tmp_path))
    card = read_card(path)
    model = PoseNetwork(path, card).plain.model
    names = list(convolutions(model))[1:-1]
    ranges = ActivationRanges(card.sha256, dict.fromkeys(names, (0.0, 12.0)), {"ap_int8": 1.0})
    write_ranges(ranges_path(path), ranges)
    return path, ranges


def test_ranges_that_are_missing_or_damaged_are_refused_with_the_way_to_make_them(resnet):
    path, _ = resnet
    whole = json.loads(ranges_path(path).read_text())
    with pytest.raises(RangesError, match=r"needs other.int8.json beside .* 'livepose quantise"):
        read_ranges(path.with_name("other.safetensors"), "1" * 64)
    with pytest.raises(RangesError, match=r"was made for other weights .* has no hash"):
        read_ranges(path, "")
    for change in (
        {"ranges": None},
        {"format": "else"},
        {"ranges": {}},
        *({"ranges": {"x": odd}} for odd in ([1.0, 2.0], [0.0, float("inf")], 3)),
    ):
        ranges_path(path).write_text(json.dumps(whole | change))
        with pytest.raises(RangesError, match=r"no readable file of INT8 ranges .* 'livepose quan"):
            read_ranges(path, read_card(path).sha256)


def test_every_layer_with_a_range_computes_in_whole_numbers(resnet):
    path, ranges = resnet
    model = PoseNetwork(path, read_card(path)).plain.model
    with pytest.raises(RangesError, match=r"1 of \d+ layers .* \(first: network.nowhere\)"):
        insert_ranges(model, {**ranges.limits, "network.nowhere": (0.0, 1.0)})
    made = insert_ranges(model, ranges.limits)
    for name, layer in convolutions(made).items():
        sources = [*entering(layer).values(), layer.input(1).get_source_output()]
        kinds = [source.get_node().get_type_name() for source in sources]
        assert (kinds == ["FakeQuantize", "Multiply"]) == (name in ranges.limits)
    kinds = [node.get_type_name() for node in model.get_ordered_ops()]
    assert "FakeQuantize" not in kinds, "the graph that was given was changed"


def test_what_is_joined_on_its_way_into_a_layer_is_rounded_alike_and_0_stays_0():
    ops = ov.opset13
    image = ops.parameter([1, 1, 1, 8], np.float32)
    joined = ops.concat([ops.relu(image), ops.tanh(image)], 1)
    layer = ops.convolution(joined, np.ones((1, 2, 1, 1), np.float32), *[[1, 1]] * 4)
    layer.set_friendly_name("joins")
    made = insert_ranges(ov.Model([layer], [image], "toy"), {"joins": (-0.3, 5.0)})
    sources = entering(convolutions(made)["joins"]).values()
    ends = [
        [source.get_node().input_value(end).get_node().data.item() for end in (1, 2)]
        for source in sources
    ]
    assert ends[0] == ends[1] == pytest.approx([-0.3, 5.0], abs=5.3 / 255 / 2)
    assert ov.compile_model(made, "CPU")(np.zeros((1, 1, 1, 8), np.float32))[0].max() == 0


def test_people_stay_where_torch_sees_them():
    runtime = open_runtime(precision="int8")  # which is checked
    expected = PoseNetwork(find_weights("default"), runtime.card).reference()
    shift = keypoint_shift(runtime(probe_crops(runtime.card)), expected, runtime.card.blur_kernel)
    assert shift.median_px > 0.001, "it is not rounded"


def test_auto_takes_int8_and_gives_it_up_where_it_is_wrong_or_of_other_weights(
    said, resnet, monkeypatch
):
    path, ranges = resnet
    monkeypatch.setattr(select, "quick_precisions", lambda: ("int8",))
    monkeypatch.setitem(verify.LIMITS_PX, "int8", 1e9)
    monkeypatch.setattr(verify, "SCORE_LIMIT", 1e9)
    assert open_runtime(path).precision == "int8"
    monkeypatch.setitem(verify.LIMITS_PX, "int8", 0.0)
    assert open_runtime(path).precision == "f32"
    assert said[-2].startswith("pose: not openvino, cpu, int8: openvino on cpu in int8 finds other")
    write_ranges(ranges_path(path), replace(ranges, weights_sha256="2" * 64))
    assert open_runtime(path).precision == "f32"
    assert "pose: not openvino, cpu, int8: resnet14.int8.json was made for other" in said[-2]
    with pytest.raises(RangesError, match="was made for other weights"):
        open_runtime(path, precision="int8")
