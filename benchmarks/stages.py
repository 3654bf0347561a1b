"""Where livepose's own time goes at four people, drawing included, and what decoding costs."""

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.network import lock
from benchmarks.plan import Plan
from livepose.benchmark.run import BenchmarkSettings, measure, spread
from livepose.heatmaps import decode, encode_dark
from livepose.pipeline import PosePipeline, Settings

PEOPLE = 4
KEYPOINTS, GRID_HW = 17, (32, 24)
SLOW = ("detect", "network")
POST = ("decode", "track", "smooth")


def measure_stages(plan: Plan) -> dict[str, Any]:
    """The pipeline's clock at four people; shares by the mean."""
    pipeline = PosePipeline(Settings(device="cpu"))
    frames = plan.curve_frames * 2
    result = measure(pipeline, BenchmarkSettings(people=PEOPLE, frames=frames))
    means = {name: stage["mean"] for name, stage in result.stages_ms.items()}
    medians = {name: stage["p50"] for name, stage in result.stages_ms.items()}
    whole_ms = 1e3 / result.fps
    rest_ms = whole_ms - sum(means.get(name, 0.0) for name in SLOW)
    return {
        "people": PEOPLE,
        "result": asdict(result),
        "whole_ms": round(whole_ms, 4),
        "rest_share": round(rest_ms / whole_ms, 5),
        "post_processing_ms": round(sum(medians.get(name, 0.0) for name in POST), 4),
        "decode_us_per_person": decode_us(plan),
    }


def decode_us(plan: Plan) -> dict[str, float]:
    """DARK of four people's heatmaps by itself, µs a person."""
    random = np.random.default_rng(0)
    maps = np.stack([one_person(random) for _ in range(PEOPLE)])
    samples_ms, _ = lock(lambda: decode(maps, "dark", 3), lambda: None, plan.runs * 20)
    return spread([1e3 * sample / PEOPLE for sample in samples_ms])


def one_person(random: np.random.Generator) -> Any:
    """Heatmaps (17, 32, 24) of keypoints anywhere within, with the noise of a network."""
    places_xy = random.uniform((3, 3), (GRID_HW[1] - 4, GRID_HW[0] - 4), (KEYPOINTS, 2))
    targets = encode_dark(places_xy, np.ones(KEYPOINTS), GRID_HW, 1.0).targets
    noise = random.uniform(0.0, 0.02, targets.shape)
    return (targets + noise).astype(np.float32)
