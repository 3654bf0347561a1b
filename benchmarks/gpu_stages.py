"""Where a frame's time goes on a GPU, and how near each stage is to what bounds it.

A stage's bound is the larger of its operations over the rate of a large matrix product and its
bytes over the rate of a large copy (each input read once, each output written once). What a stage
takes beyond that is launches, small kernels and waiting; what the frame takes beyond the stages is
Python, tables and the host's copy into pinned memory.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu_clock import Ceilings, device_ms, wall_ms
from livepose.crops.taps import fill_taps, samples_needed
from livepose.errors import LiveposeError
from livepose.estimator import PoseEstimator
from livepose.frame import ImageBgr
from livepose.heatmaps import blur_taps, decode_dark, on_device
from livepose.networks.complexity import count_operations
from livepose.runtimes.batches import next_size
from livepose.runtimes.cuda import CudaRuntime
from livepose.runtimes.cuda_graph import CudaGraph
from livepose.runtimes.frames import TapBuffers, gather

logger = logging.getLogger(f"livepose.{__name__}")

Numbers = dict[str, float]
Network = Callable[[Tensor], Tensor]


def measure_stages(
    estimator: PoseEstimator,
    network: nn.Module,
    image_bgr: ImageBgr,
    boxes_xyxy: Any,
    ceilings: Ceilings,
    runs: int,
) -> dict[str, Any]:
    """Milliseconds, bound and share of the bound: upload, crop, network, decode, and the whole;
    and what decoding would take after a copy of the heatmaps to the host.
    """
    poses, runtime = estimator.gpu, estimator.runtime
    assert poses is not None
    assert isinstance(runtime, CudaRuntime)
    stream, frames = runtime.stream, poses.frames
    size = next_size(len(boxes_xyxy), runtime.sizes)
    matrices = poses.geometry.matrices(boxes_xyxy)
    frames.forget()
    tables = TapBuffers(stream, size, runtime.card.input_hw, samples_needed(matrices))
    (start,) = frames.upload([image_bgr])
    places = np.tile((start, *image_bgr.shape[:2]), (len(boxes_xyxy), 1))
    fill_taps(matrices, places, tables.taps)
    with stream:
        tables.send()
    steps = recorded_steps(runtime, tables, frames.pixels)
    half = 2 if runtime.precision in ("f16", "bf16") else 4
    bounds = {
        "crop": (0.0, crop_bytes(boxes_xyxy, runtime, size)),
        "network": network_work(network, runtime.card.input_hw, size, half),
        "decode": (0.0, decode_bytes(runtime, size)),
    }
    rows = {
        name: row(device_ms(stream, step.run, runs), ceilings.bound_ms(*bounds[name]))
        for name, step in steps.items()
    }
    rows["upload"] = row(
        device_ms(stream, lambda: frames.copy(image_bgr.nbytes // 3), runs),
        1e3 * image_bgr.nbytes / ceilings.upload_bytes_per_s,
    )
    heatmaps = steps["network"].output[: len(boxes_xyxy)]
    on_host_ms = wall_ms(
        lambda: decode_dark(heatmaps.cpu().numpy(), runtime.card.blur_kernel), runs
    )
    whole_ms = wall_ms(lambda: estimator.estimate(image_bgr, boxes_xyxy), runs)
    rest_ms = whole_ms - sum(one["ms"] for one in rows.values())
    return {
        "people": len(boxes_xyxy),
        "size": size,
        "stages": rows,
        "decode_on_host_ms": round(on_host_ms, 4),
        "frame_to_keypoints_ms": round(whole_ms, 4),
        "rest_ms": round(rest_ms, 4),
        "rest": "Python, tables, copies to and from pinned memory, the wait",
    }


def row(took_ms: float, bound_ms: float) -> Numbers:
    """One stage."""
    share = bound_ms / took_ms if took_ms > 0 else float("nan")
    return {"ms": round(took_ms, 4), "bound_ms": round(bound_ms, 4), "of_bound": round(share, 3)}


def recorded_steps(
    runtime: CudaRuntime, tables: TapBuffers, pixels: Tensor
) -> dict[str, CudaGraph]:
    """The three parts of the one graph, as a graph each."""
    stream, card = runtime.stream, runtime.card
    taps = torch.from_numpy(blur_taps(card.blur_kernel).copy()).to(stream.device)
    crop = CudaGraph(stream, lambda: gather(pixels, tables.tensors))
    network = CudaGraph(stream, lambda: runtime.graph(crop.output))
    decode = CudaGraph(stream, lambda: on_device.decode_dark(network.output, taps))
    return {"crop": crop, "network": network, "decode": decode}


def crop_bytes(boxes_xyxy: Any, runtime: CudaRuntime, size: int) -> float:
    """The people's pixels once, and the crops once."""
    height, width = runtime.card.input_hw
    sides = np.clip(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1, None)
    return float(3 * sides.prod(axis=1).sum() + 3 * size * height * width)


def decode_bytes(runtime: CudaRuntime, size: int) -> float:
    """The heatmaps once, and the figures once."""
    height, width = runtime.card.heatmap_hw
    return float(size * runtime.card.keypoints * (4 * height * width + 8 * on_device.FIGURES))


def network_work(
    network: nn.Module, input_hw: tuple[int, int], batch: int, width: int
) -> tuple[float, float]:
    """Operations and bytes of a batch: each layer's input and output once, the weights once."""
    moved = layer_numbers(network, input_hw)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    flops = 2.0 * count_operations(network, input_hw).multiply_adds * batch
    return flops, float(width * (parameters + batch * moved))


def layer_numbers(network: nn.Module, input_hw: tuple[int, int]) -> int:
    """Numbers that the convolutions of one picture read and write."""
    import copy

    skeleton = copy.deepcopy(network).to("meta").eval()
    moved: list[int] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        moved.append(inputs[0].numel() + output.numel())

    for module in skeleton.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(note)
    with torch.inference_mode():
        skeleton(torch.zeros(1, 3, *input_hw, device="meta"))
    return sum(moved)


def measure_network(
    runtime: CudaRuntime,
    eager: Mapping[str, Network],
    compilers: Mapping[str, Callable[[], Network]],
    runs: int,
) -> dict[str, Any]:
    """Batch 1, from crops on the device to heatmaps on the device: recorded, eager, and recorded
    from what compilers make of it; a compiler that is absent or fails is said.
    """
    stream = runtime.stream
    with stream:
        crops = torch.randint(
            0, 256, (1, *runtime.card.input_hw, 3), dtype=torch.uint8, device=stream.device
        )
    recorded = CudaGraph(stream, lambda: runtime.graph(crops))
    rows = {"recorded": device_ms(stream, recorded.run, runs)}
    for name, network in eager.items():
        rows[name] = device_ms(stream, partial(network, crops), runs)
    for name, compiled in compilers.items():
        try:
            steps = partial(compiled(), crops)
            rows[name] = device_ms(stream, CudaGraph(stream, steps).run, runs)
        except (LiveposeError, RuntimeError) as error:
            logger.info(f"no {name}: {str(error).splitlines()[0]}")
    return {
        "ms": {name: round(took_ms, 4) for name, took_ms in rows.items()},
        "times_eager": round(rows["eager f32"] / rows["recorded"], 2),
    }


def measure_offline(
    runtime: CudaRuntime, network: nn.Module, ceilings: Ceilings, batch: int, runs: int
) -> dict[str, Any]:
    """Crops a second at a large batch: on the device alone, and with crops from the host."""
    stream = runtime.stream
    shape = (batch, *runtime.card.input_hw, 3)
    with stream:
        crops = torch.randint(0, 256, shape, dtype=torch.uint8, device=stream.device)
    recorded = CudaGraph(stream, lambda: runtime.graph(crops))
    took_ms = device_ms(stream, recorded.run, runs)
    host = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    whole_ms = wall_ms(lambda: runtime(host), runs)
    width = 2 if runtime.precision in ("f16", "bf16") else 4
    flops, moved = network_work(network, runtime.card.input_hw, batch, width)
    return {
        "batch": batch,
        "crops_per_s": round(1e3 * batch / took_ms, 1),
        "crops_per_s_from_host": round(1e3 * batch / whole_ms, 1),
        "flops_per_crop": flops / batch,
        "of_multiply_rate": round(1e3 * flops / took_ms / ceilings.multiply_flops, 4),
        "of_copy_rate": round(1e3 * moved / took_ms / ceilings.copy_bytes_per_s, 4),
    }
