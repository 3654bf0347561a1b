"""The networks give the published numbers under a repeatable filling of their weights."""

import json
import zlib
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from livepose.errors import WeightsError
from livepose.networks import build_network, fold_batch_norms, published_gflops

COUNTS = {
    ("hrnet_w32", (128, 96)): (28536113, 1.78),
    ("hrnet_w48", (384, 288)): (63595745, 32.88),
    ("resnet50", (256, 192)): (33999697, 8.99),
    ("resnet101", (128, 96)): (52991825, 3.09),
    ("resnet152", (384, 288)): (68635473, 35.47),
}


def filled(name, shape):
    """The repeatable filling of the golden numbers: from name and shape alone."""
    random = np.random.RandomState(zlib.crc32(name.encode("ascii")))
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if leaf in ("running_mean", "bias"):
        return np.float32(0.05 * random.standard_normal(shape))
    if leaf == "running_var":
        return np.float32(random.uniform(0.5, 1.5, shape))
    if len(shape) == 1:
        return np.float32(random.uniform(0.4, 0.8, shape))
    fan, axes = shape[1] * shape[2] * shape[3], (1, 2, 3)
    if name.startswith("deconv_layers."):
        fan, axes = shape[0] * shape[2] * shape[3] // 4, (0, 2, 3)
    values = random.standard_normal(shape) * np.sqrt(2.5 / fan)
    return np.float32(values - values.mean(axis=axes, keepdims=True))


@cache
def filled_network(name):
    with torch.device("meta"):
        network = build_network(name, 17).eval()
    state = {
        entry: torch.from_numpy(np.asarray(filled(entry, tuple(one.shape))))
        for entry, one in network.state_dict().items()
    }
    network.load_state_dict(state, strict=True, assign=True)
    return network


# The others are built of the same layers, more and wider ones.
@pytest.mark.parametrize("name", ["hrnet_w32", "resnet50"])
def test_outputs_are_the_published_ones(name, shared):
    random = np.random.RandomState(zlib.crc32(b"input_128x96"))
    image = torch.from_numpy(np.float32(random.standard_normal((1, 3, 128, 96))))
    with torch.inference_mode():
        output = filled_network(name)(image).numpy()
    with np.load(shared / "golden" / "networks.npz") as golden:
        expected = golden[f"{name}_128x96/output"]
    assert output.shape == expected.shape == (1, 17, 32, 24)
    # float32 on two processors: other kernels add in another order (the reference's own tolerance).
    assert np.abs(output - expected).max() < 1e-4 * np.abs(expected).max()


def test_state_dicts_have_the_official_names_shapes_and_order(shared):
    published = json.loads((shared / "golden" / "state_dict_shapes.json").read_text())
    for case, shapes in published.items():
        with torch.device("meta"):
            network = build_network(case.rsplit("_", 1)[0], 17)
        ours = [(name, list(tensor.shape)) for name, tensor in network.state_dict().items()]
        assert ours == list(shapes.items()), case


@pytest.mark.parametrize(("name", "input_hw"), COUNTS)
def test_counts_are_the_published_ones(name, input_hw):
    parameters, published = COUNTS[name, input_hw]
    with torch.device("meta"):
        network = build_network(name, 17)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    assert round(published_gflops(network, input_hw), 2) == published


@pytest.mark.parametrize("name", ["hrnet_w32", "resnet50"])
def test_any_keypoint_count_and_any_size_of_whole_cells_works(name):
    with torch.device("meta"):
        heatmaps = build_network(name, 1).eval()(torch.zeros(2, 3, 164, 64))
    assert heatmaps.shape == (2, 1, 41, 16)


def test_an_unknown_network_is_named_with_those_there_are():
    with pytest.raises(WeightsError, match="no network named 'hrnet_w18'; there are hrnet_w32"):
        build_network("hrnet_w18", 17)


@pytest.mark.parametrize("name", ["hrnet_w32", "resnet50"])
def test_a_folded_network_gives_the_same_heatmaps_without_batch_norms(name):
    torch.manual_seed(0)
    network = filled_network(name)
    folded = fold_batch_norms(network)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        expected, got = network(images), folded(images)
    assert (got - expected).abs().max() < 1e-4 * expected.std()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
