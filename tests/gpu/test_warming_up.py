"""Before the first frame: what a GPU records, and that one thread alone uses it."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from fakes import FakeDetector, FakeRuntime, make_pipeline
from gpu.toys import toy_runtime

from livepose.detection import Detections
from livepose.multistream import PoseService
from livepose.pipeline import WARM_BATCHES, PosePipeline

__all__ = ["make_pipeline"]
Make = Callable[..., PosePipeline]


@pytest.mark.parametrize(("device", "threads"), [("cpu", 2), ("mps", 1), ("cuda", 1)])
def test_threads_that_use_a_network(
    device: str, threads: int, make_pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    users: set[int] = set()

    class Runtime(FakeRuntime):
        def warm_up(self, batch_sizes: object) -> None:
            users.add(threading.get_ident())

    class Detector(FakeDetector):
        def __call__(self, images_bgr: list[np.ndarray]) -> list[Detections]:
            users.add(threading.get_ident())
            return super().__call__(images_bgr)

    def runtime(*_: object, **__: object) -> Runtime:
        users.add(threading.get_ident())
        made = Runtime()
        made.device = device
        return made

    def detector(*_: object, **__: object) -> Detector:
        users.add(threading.get_ident())
        return Detector()

    monkeypatch.setattr("livepose.opening.cuda_devices", lambda: int(device == "cuda"))
    monkeypatch.setattr("livepose.opening.open_runtime", runtime)
    monkeypatch.setattr("livepose.opening.open_detector", detector)
    pipeline = make_pipeline(device=device)
    assert len(users) == threads
    users.clear()
    pipeline.warm_up((320, 240))
    assert len(users) == threads


@pytest.fixture
def on_gpu(make_pipeline: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Pipelines on the stand-in of a GPU, with batches of up to 16."""
    runtime = toy_runtime((1, 2, 4, 8, 16))
    monkeypatch.setattr("livepose.opening.open_runtime", lambda *_, **__: runtime)
    return make_pipeline


def recorded(pipeline: PosePipeline) -> set[int]:
    gpu = pipeline.estimator.gpu
    assert gpu is not None
    return {size for size, _ in gpu._slots}


@pytest.mark.parametrize(
    ("most", "sizes"), [(None, {1, 2, 4, 8}), (3, {1, 2, 4}), (1, {1}), (40, {1, 2, 4, 8, 16})]
)
def test_everybody_who_may_come_is_recorded_for(
    most: int | None, sizes: set[int], on_gpu: Make
) -> None:
    pipeline = on_gpu(max_people=most)
    pipeline.warm_up((320, 240))
    assert recorded(pipeline) == sizes


def test_streams_may_all_be_full_at_once(on_gpu: Make) -> None:
    service = PoseService(max_people=3)
    service.warm_up([(320, 240), (160, 120), (320, 240)])
    assert recorded(service._first) == {1, 2, 4, 8, 16}


def test_the_processor_is_prepared_for_few(make_pipeline: Make) -> None:
    assert make_pipeline(max_people=20).batches_to_warm(3) == WARM_BATCHES
