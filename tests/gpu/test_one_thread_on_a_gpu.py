"""On a GPU the two networks are opened and warmed one after the other, by one thread."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from fakes import FakeDetector, FakeRuntime, make_pipeline

from livepose.detector import Detections
from livepose.pipeline import PosePipeline

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

    monkeypatch.setattr("livepose.pipeline.cuda_devices", lambda: int(device == "cuda"))
    monkeypatch.setattr("livepose.pipeline.open_runtime", runtime)
    monkeypatch.setattr("livepose.pipeline.open_detector", detector)
    pipeline = make_pipeline(device=device)
    assert len(users) == threads
    users.clear()
    pipeline.warm_up((320, 240))
    assert len(users) == threads
