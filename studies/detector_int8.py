"""The detector in INT8: its ranges, and what they cost: ``python -m studies.detector_int8``.

Ranges are measured on ``--images``, AP on ``--dev-images``. Milliseconds are processor time of one
thread a pass, precisions in turn, so that other programs of the machine hardly enter. The ranges
are written beside the detector only where the AP stays within 0.5 of that in f32.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.calibration.int8 import measure_limits
from livepose.cli import guarded
from livepose.detection.detector import YoloDetector
from livepose.detection.letterbox import Letterbox
from livepose.detection.openvino_engine import OpenVinoEngine, converted
from livepose.errors import GateError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from livepose.evaluation.metrics import box_results, match
from livepose.evaluation.validation import LEAST_SCORE
from livepose.frame import ImageBgr
from livepose.runtimes.activation_ranges import ActivationRanges, ranges_path, write_ranges
from livepose.runtimes.int8 import convolutions, insert_ranges
from livepose.runtimes.openvino import StoredGraph, compile_options, core
from livepose.weights.card import read_metadata
from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file
from studies import positive

SIDE_PX = 320
SIZES_HW = ((256, 320), (384, 512))
ROUNDS = 40
MOST_LOST_AP = 0.5


def some_images(images: Path, annotations: Path, count: int) -> NDArray[np.uint8]:
    """Letterboxed images (N, 320, 320, 3), evenly spread over a set."""
    all_images = load_annotations(annotations, skeleton=None).images
    with Archive(images) as archive:
        step = max(1, len(all_images) // count)
        chosen = [archive.image_bgr(one.file_name) for one in all_images[::step]]
    return np.stack([fitted(image, (SIDE_PX, SIDE_PX)) for image in chosen[:count]])


def fitted(image_bgr: ImageBgr, input_hw: tuple[int, int]) -> ImageBgr:
    """An image in an input of this size."""
    height, width = image_bgr.shape[:2]
    return Letterbox.into((width, height), input_hw[::-1]).apply(image_bgr)


def ends_of(layers: Sequence[str]) -> Iterator[str]:
    """The first convolution and the last ones of the head, which stay in f32."""
    head = layers[-1].split(".")[1]
    yield layers[0]
    yield from (name for name in layers if name.startswith(f"model.{head}.") and name[-2:] == ".2")


def average_precision(
    engine: OpenVinoEngine, info: Any, images: Path, annotations: Path
) -> dict[str, float]:
    """AP and AP50 of the boxes at the detector's usual size."""
    detector = YoloDetector(engine, "", info, info.input_px, LEAST_SCORE)
    dataset, results = load_annotations(annotations, skeleton=None), []
    with Archive(images) as archive:
        for image in dataset.images:
            [found] = detector([archive.image_bgr(image.file_name)])
            results += box_results(image.id, found.boxes_xyxy, found.scores)
    scores = match(dataset.document(), results, None).scores()
    return {name: round(float(scores[name]), 2) for name in ("ap", "ap50")}


def passes_ms(
    ways: dict[str, tuple[Any, str]], image: ImageBgr, input_hw: tuple[int, int]
) -> dict[str, float]:
    """Processor time of a pass each way, the median of many in turn."""
    requests: dict[str, Any] = {}
    took_ms: dict[str, list[float]] = {name: [] for name in ways}
    for name, (model, precision) in ways.items():
        model = model.clone()
        model.reshape([1, *input_hw, 3])
        options = {**compile_options(precision), "INFERENCE_NUM_THREADS": 1}
        requests[name] = core().compile_model(model, "CPU", options).create_infer_request()
    seen = fitted(image, input_hw)[None]
    for turn in range(-3, ROUNDS):
        for name, request in requests.items():
            start_s = time.process_time()
            request.infer([seen])
            if turn >= 0:
                took_ms[name].append(1e3 * (time.process_time() - start_s))
    return {name: round(median(each), 2) for name, each in took_ms.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of this study."""
    parser = argparse.ArgumentParser(prog="python -m studies.detector_int8")
    parser.add_argument("--detector", type=Path, default=embedded_file(DEFAULT_DETECTOR + SUFFIX))
    for name in ("--images", "--annotations", "--dev-images", "--dev-annotations"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--limit", type=positive, default=96, help="of --images (96)")
    return guarded(partial(study, parser.parse_args(argv)))


def study(chosen: argparse.Namespace) -> None:
    """Prints the table, and writes the ranges where they cost little; else GateError."""
    images = some_images(chosen.images, chosen.annotations, chosen.limit)
    plain, info = converted(chosen.detector)
    layers = list(convolutions(plain))
    limits = measure_limits(plain, images, list(ends_of(layers)), lambda _: None)
    whole = insert_ranges(plain, limits)
    ways = {"f32": (plain, "f32"), "bf16": (plain, "bf16"), "int8": (whole, "")}
    measured: dict[str, Any] = {"images": len(images)}
    times = [passes_ms(ways, images[0], size) for size in SIZES_HW]
    print("| precision | AP | AP50 | ms at 320x256 | ms at 512x384 |\n|---|---:|---:|---:|---:|")
    for name, (model, precision) in ways.items():
        engine = OpenVinoEngine(
            StoredGraph(None, "", partial(lambda one: one, model)), None, precision
        )
        found = average_precision(engine, info, chosen.dev_images, chosen.dev_annotations)
        measured |= {f"{score}_{name}": value for score, value in found.items()}
        cells = [*found.values(), *(took_ms[name] for took_ms in times)]
        print(f"| {name} | {' | '.join(map(str, cells))} |", flush=True)
    if measured["ap_int8"] < measured["ap_f32"] - MOST_LOST_AP:
        raise GateError(f"INT8 costs more than {MOST_LOST_AP} AP; nothing was written")
    sha256 = read_metadata(chosen.detector).get("sha256", "")
    write_ranges(ranges_path(chosen.detector), ActivationRanges(sha256, limits, measured))


if __name__ == "__main__":
    sys.exit(main())
