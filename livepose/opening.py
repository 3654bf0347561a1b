"""Opens both networks, at the same time where that is possible."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from livepose.detection import Detector, open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.frame import StageClock
from livepose.runtimes import open_runtime
from livepose.runtimes.select import cuda_devices
from livepose.settings import Settings


def open_networks(
    chosen: Settings, clock: StageClock, told: Callable[[str], None]
) -> tuple[PoseEstimator, Detector | None]:
    """The networks of these settings; ``told`` hears of each when it is open, from any thread."""

    def open_estimator() -> PoseEstimator:
        names = chosen.weights, chosen.runtime, chosen.device, chosen.precision
        runtime = open_runtime(*names, input_hw=chosen.input_hw, offline=chosen.offline)
        try:
            estimator = PoseEstimator(runtime, chosen.decode, clock, chosen.small_people_px)
        except ValueError as error:
            raise UsageError(str(error)) from error
        told("pose network")
        return estimator

    def open_beside() -> Detector | None:
        detector = open_detector(
            chosen.detector,
            chosen.device,
            size_px=chosen.detector_size_px,
            score_threshold=chosen.detector_threshold,
            offline=chosen.offline,
        )
        told("detector")
        return detector

    if chosen.device != "cpu" and (chosen.device == "mps" or cuda_devices()):
        # One after the other: Apple's GPUs fail where two threads use them at once.
        return open_estimator(), open_beside()
    # Reading and compiling two networks takes no longer than the slower of them.
    with ThreadPoolExecutor(1) as beside:
        opening = beside.submit(open_beside)
        return open_estimator(), opening.result()
