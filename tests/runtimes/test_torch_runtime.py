"""torch: bytes to heatmaps exactly as the plain network computes them, on whichever device."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from livepose.errors import DeviceError, LiveposeError
from livepose.runtimes import open_runtime, select
from livepose.runtimes import torch as torch_runtime
from livepose.runtimes.torch import TorchRuntime, device_errors, reference_heatmaps
from livepose.runtimes.verify import require_agreement
from livepose.weights import find_weights
from livepose.weights.checkpoint import load_network

Change = Callable[[np.ndarray], np.ndarray]


def by_hand(path, crops_bgr):
    """Heatmaps computed step by step in float64, without any of the runtimes' code."""
    network, card = load_network(path)
    images = crops_bgr[..., ::-1] if card.colour == "rgb" else crops_bgr
    normal = (images.astype(np.float64) - np.array(card.mean)) / np.array(card.std)
    with torch.inference_mode():
        maps = network.double()(torch.from_numpy(normal.transpose(0, 3, 1, 2).copy())).numpy()
    if card.activation == "softmax":
        powers = np.exp(maps - maps.max(axis=(2, 3), keepdims=True))
        maps = powers / powers.sum(axis=(2, 3), keepdims=True) * 2 * np.pi * card.sigma**2
    return maps


@pytest.mark.parametrize("which", ["hrnet_file", "resnet_file"])
def test_heatmaps_are_those_computed_by_hand(which, request):
    path = request.getfixturevalue(which)
    runtime = open_runtime(path, runtime="torch")
    crops = np.random.default_rng(0).integers(0, 256, (3, *runtime.card.input_hw, 3), np.uint8)
    heatmaps, expected = runtime(crops), by_hand(path, crops)
    assert heatmaps.dtype == np.float32
    assert heatmaps.shape == expected.shape
    assert np.abs(heatmaps - expected).max() < 1e-3 * expected.std()
    # The mass of log-heatmaps is that of a Gaussian whose peak is 1.
    if runtime.card.activation == "softmax":
        assert heatmaps.sum(axis=(2, 3)) == pytest.approx(2 * np.pi * 1.5**2, rel=1e-5)


def test_any_batch_and_any_memory_is_taken_but_nothing_else_than_bytes_of_the_right_size(
    resnet_file,
):
    runtime = open_runtime(resnet_file, runtime="torch")
    assert runtime(np.zeros((0, 64, 96, 3), np.uint8)).shape == (0, 16, 16, 24)
    crops = np.random.default_rng(0).integers(0, 256, (2, 64, 192, 3), np.uint8)
    expected = runtime(np.ascontiguousarray(crops[:, :, ::2]))
    crops.flags.writeable = False
    assert np.array_equal(runtime(crops[:, :, ::2]), expected)
    for shape, kind in (
        ((1, 64, 96, 3), np.float32),
        ((1, 96, 64, 3), np.uint8),
        ((64, 96, 3), np.uint8),
        ((1, 3, 64, 96), np.uint8),
    ):
        with pytest.raises(ValueError, match=r"crops have to be uint8 \(B, 64, 96, 3\), got"):
            runtime(np.zeros(shape, kind))


def test_the_embedded_weights_bear_half_precision():
    network, card = load_network(find_weights("default"))
    reference = reference_heatmaps(network, card)
    for precision in ("f16", "bf16"):
        require_agreement(TorchRuntime(network, card, "cpu", precision), reference)


@pytest.mark.parametrize(("precision", "rounds"), [("f32", False), ("f16", True)])
def test_f32_on_a_gpu_is_not_rounded_to_fewer_bits(precision, rounds, resnet_file, monkeypatch):
    def graph(crops):
        assert torch.backends.cudnn.allow_tf32 == rounds
        return crops

    runtime = TorchRuntime(*load_network(resnet_file), "cpu", precision)
    runtime.device, runtime.graph = "cuda:1", graph
    monkeypatch.setattr(torch.Tensor, "to", lambda crops, device: crops)
    assert runtime(np.ones((1, 64, 96, 3), np.uint8)).any()
    assert torch.backends.cudnn.allow_tf32


# -- on a GPU, with the CPU in its place -----------------------------------------------------------


class OnGpu(TorchRuntime):
    """torch on a GPU as a test wants it, in f32 whatever is asked for."""

    change: Change = staticmethod(lambda maps: maps)
    failure: Exception | None = None

    def __init__(self, network, card, device, precision="f32"):
        with device_errors(device, "while loading"):
            if device != "cpu" and self.failure is not None:
                raise self.failure
        super().__init__(network, card, "cpu")
        self.device = self.place = device
        self.precision = precision

    def __call__(self, crops_bgr):
        self.device = "cpu"
        maps = super().__call__(crops_bgr)
        self.device = self.place
        return maps if self.place == "cpu" else type(self).change(maps)


@pytest.fixture
def gpu(monkeypatch):
    """One CUDA GPU and one of Apple's."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(select, "cuda_devices", lambda: 1)
    fresh = type("OnGpu", (OnGpu,), {})
    monkeypatch.setattr(torch_runtime, "TorchRuntime", fresh)
    return fresh


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize(("device", "usual"), [("mps", "f32"), ("cuda:0", "f16")])
def test_a_gpu_is_used_when_it_computes_rightly(device, usual, said, resnet_file):
    runtime = open_runtime(resnet_file, device=device)
    assert (runtime.name, runtime.device) == ("torch", device)
    assert f"on torch, {device}, {usual}" in said[-1]


def test_wrong_keypoints_are_refused_at_the_start(gpu, resnet_file):
    gpu.change = staticmethod(lambda maps: maps[:, ::-1])
    with pytest.raises(DeviceError, match="use --precision f32 or --device cpu"):
        open_runtime(resnet_file, device="cuda")


def test_a_card_that_torch_cannot_use_is_left_for_the_processor(gpu, said, resnet_file):
    gpu.failure = torch.AcceleratorError("CUDA error: no kernel image is available")
    assert open_runtime(resnet_file, precision="f32").device == "cpu"
    assert said[0].startswith("pose: not torch, cuda:0, f32: cuda:0 failed while loading: CUDA")
    with pytest.raises(DeviceError, match=r"no kernel image .* use --device cpu"):
        open_runtime(resnet_file, device="cuda")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be ..."),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB, max allowed: 9.1 GB)"),
    ],
    ids=("memory", "pinned memory", "cublas", "mps"),
)
def test_full_memory_says_what_to_lower_whoever_reports_it(error):
    sentence = (
        r"^cuda:1 ran out of memory at 7 people; lower --max-people, close what else runs on it, "
        r"or use --device cpu$"
    )
    with pytest.raises(DeviceError, match=sentence), device_errors("cuda:1", "at 7 people"):
        raise error


def test_only_a_gpu_fails_as_a_device(resnet_file):
    def broken(crops):
        raise RuntimeError("size mismatch")

    runtime = TorchRuntime(*load_network(resnet_file), "cpu")
    runtime.graph = broken
    crops = np.zeros((7, *runtime.card.input_hw, 3), np.uint8)
    with pytest.raises(RuntimeError, match="size mismatch") as caught:
        runtime(crops)
    assert not isinstance(caught.value, LiveposeError)
    runtime.device = "meta"
    with pytest.raises(DeviceError, match="meta failed at 7 people at once: size mismatch; use"):
        runtime(crops)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")
def test_a_real_gpu_gives_what_the_processor_gives(hrnet_file):
    crops = np.random.default_rng(0).integers(0, 256, (37, 128, 96, 3), np.uint8)
    runtime = open_runtime(hrnet_file, device="cuda")
    expected = open_runtime(hrnet_file, "torch", "cpu")(crops)
    for count in (1, 3, 8, 37):
        difference = runtime(crops[:count]) - expected[:count]
        assert np.sqrt(np.mean(difference**2)) < 0.03 * expected.std()


# -- without extras --------------------------------------------------------------------------------

WITHOUT = """
import sys
for name in ("openvino", "ultralytics", "torchvision", "pycocotools", "matplotlib"):
    sys.modules[name] = None  # Python's way to say: not to be found
import numpy as np
from livepose.pipeline import PosePipeline
pipeline = PosePipeline(detector="none", runtime="torch", device="cpu")
poses = pipeline.process(np.full((64, 48, 3), 90, np.uint8))
assert poses.keypoints_xy.shape == (1, 17, 2)
"""


def test_torch_is_enough():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
