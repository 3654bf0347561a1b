"""Pose networks made of a weights file alone are the networks that torch has."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reference import relative_error

from livepose.errors import WeightsError
from livepose.runtimes import open_runtime
from livepose.runtimes.openvino import StoredGraph
from livepose.runtimes.openvino_graph import pose_graph
from livepose.runtimes.openvino_pose import OpenVinoRuntime, with_bytes_in
from livepose.weights import read_card
from livepose.weights.arrays import load_arrays


@pytest.mark.parametrize("which", ["hrnet_file", "resnet_file"])
def test_the_graph_says_what_torch_says(which: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(which)
    card = read_card(path)
    crops = np.random.default_rng(0).integers(0, 256, (2, *card.input_hw, 3), np.uint8)
    model = with_bytes_in(pose_graph(load_arrays(path), card, path.name), card, 0)
    found = OpenVinoRuntime(StoredGraph(None, "", lambda: model), card, "f32")(crops)
    assert relative_error(found, open_runtime(path, runtime="torch")(crops)) < 1e-4


def test_a_tensor_too_few_or_too_many_is_refused_by_name(hrnet_file: Path) -> None:
    card, tensors = read_card(hrnet_file), load_arrays(hrnet_file)
    fewer = {
        name: one for name, one in tensors.items() if name != "stage3.1.fuse_layers.0.2.1.bias"
    }
    with pytest.raises(WeightsError, match=r"lacks stage3\.1\.fuse_layers\.0\.2\.1\.bias"):
        pose_graph(fewer, card, "fewer")
    with pytest.raises(WeightsError, match=r"1 tensors that .*head\.extra"):
        pose_graph({**tensors, "head.extra": tensors["conv1.weight"]}, card, "more")


def test_weights_of_another_network_than_the_card_says_are_refused(hrnet_file: Path) -> None:
    card, tensors = read_card(hrnet_file), load_arrays(hrnet_file)
    with pytest.raises(WeightsError, match="is hrnet_w32 with 17 keypoints; hrnet_w48"):
        pose_graph(tensors, replace(card, network="hrnet_w48"), "renamed")
    with pytest.raises(WeightsError, match="hrnet_w32 with 16 keypoints was wanted"):
        pose_graph(tensors, replace(card, skeleton="mpii16", keypoints=16), "renamed")
    narrow = {**tensors, "conv2.weight": tensors["conv2.weight"][:, :32]}
    with pytest.raises(WeightsError, match="does not fit hrnet_w32"):
        pose_graph(narrow, card, "narrow")
