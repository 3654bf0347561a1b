"""``--weights auto``: the best published weights where they are here and quick enough.

Else the embedded ones. One line says which, and how well they find people.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median

from livepose.errors import DeviceError, WeightsError
from livepose.runtimes.activation_ranges import read_ranges
from livepose.runtimes.protocol import Runtime
from livepose.runtimes.verify import probe_crops
from livepose.weights import find_weights, read_card
from livepose.weights.manifest import BEST, find_known
from livepose.weights.places import SUFFIX, cache_folder, cached_weights_folder

logger = logging.getLogger(__name__)

LEAST_FPS = 25.0
SHARE = 0.75
"""Of a frame's time that the pose network may take; the rest is for all else."""
MOST_MS = SHARE * 1e3 / LEAST_FPS
"""So long may one person take."""
ROUNDS = 7

Opened = tuple[Runtime, str]
"""A runtime, and the line that tells what it is."""


def candidates() -> list[Path]:
    """The files that ``auto`` may take, best first."""
    best = cached_weights_folder() / (BEST + SUFFIX)
    return [path for path in (best,) if path.is_file()] + [find_weights("default")]


def open_automatic(open_one: Callable[[Path], Opened], asked: str) -> Opened:
    """The best weights that run here at 25 frames a second for one person.

    ``asked`` names the device and whatever else the measured time depends on.
    """
    *best, embedded = candidates()
    known = find_known(BEST)
    published, why = known.results if known else "", ""
    for path in best:
        try:
            took_ms, opened = _person_ms(path, open_one, asked)
            if took_ms <= MOST_MS:
                opened = opened or open_one(path)
                logger.info(f"weights: {path.stem} ({published}; {took_ms:.1f} ms a person)")
                return opened
            why = f"; {path.stem} would take {took_ms:.1f} ms a person, over {MOST_MS:g}"
        except (WeightsError, DeviceError, ImportError) as error:
            why = f"; not {path.stem}: {error}"
    logger.info(f"weights: {embedded.stem}, embedded ({_ap(embedded)}{why})")
    if not best and _is_first_start():
        logger.info(
            f"better weights: 'livepose weights fetch best' ({BEST}, {published}); they are "
            "taken where this machine carries them"
        )
    return open_one(embedded)


def _person_ms(
    path: Path, open_one: Callable[[Path], Opened], asked: str
) -> tuple[float, Opened | None]:
    """Milliseconds for one person: measured at the first start, with the runtime, then kept."""
    from livepose.runtimes.openvino import machine
    from livepose.runtimes.openvino_pose import PoseNetwork

    opened: Opened | None = None

    def measured() -> float:
        nonlocal opened
        logger.info(f"timing {path.stem} (only this once)")
        opened = open_one(path)
        return _crop_ms(opened[0])

    store = PoseNetwork(path, read_card(path)).store
    return store.fact(f"{machine()}, one person, {asked}", measured), opened


def _crop_ms(runtime: Runtime) -> float:
    """Milliseconds for one crop, the median of a few."""
    runtime.warm_up((1,))
    crop, took_ms = probe_crops(runtime.card)[:1], []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        runtime(crop)
        took_ms.append(1e3 * (time.perf_counter() - start_s))
    return round(median(took_ms), 2)


def _ap(embedded: Path) -> str:
    """``AP 34.6 on 984 people``, as it was measured with the ranges beside the weights."""
    with suppress(WeightsError):
        ranges = read_ranges(embedded, read_card(embedded).sha256)
        measured = {} if ranges is None else ranges.measured
        if {"ap_f32", "people"} <= measured.keys():
            return f"AP {measured['ap_f32']:.1f} on {measured['people']} people"
    return "AP not measured"


def _is_first_start() -> bool:
    """Whether this was never asked before; False where nothing can be remembered."""
    told = cache_folder() / "told-of-better-weights"
    try:
        told.parent.mkdir(parents=True, exist_ok=True)
        told.touch(exist_ok=False)
    except OSError:
        return False
    return True
