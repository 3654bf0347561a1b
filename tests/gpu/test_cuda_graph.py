"""How steps are recorded, with stand-ins for CUDA's graphs and streams."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from livepose.runtimes.cuda_graph import WARM_UP_RUNS, CudaGraph, CudaStream

log: list[Any] = []


class Stream:
    """Notes who waits for it."""

    def synchronize(self) -> None:
        log.append("wait")


class Graph:
    """A graph that cannot do anything."""

    count = 0

    def __init__(self) -> None:
        Graph.count += 1
        self.number = Graph.count

    def pool(self) -> str:
        return f"pool of {self.number}"

    def replay(self) -> None:
        log.append(f"replay {self.number}")


@contextmanager
def capture(graph: Graph, pool: Any, stream: Stream, capture_error_mode: str) -> Iterator[None]:
    log.append(("capture", graph.number, pool, capture_error_mode))
    yield
    log.append("captured")


@contextmanager
def on(stream: Stream) -> Iterator[None]:
    yield


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> CudaStream:
    log.clear()
    Graph.count = 0
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: log.append("settle"))
    made = CudaStream("cpu")
    made.queue, made._cuda = Stream(), True
    return made


def test_steps_run_warm_are_captured_once_and_then_only_replayed(stream: CudaStream) -> None:
    def steps() -> torch.Tensor:
        log.append("steps")
        return torch.ones(2)

    recording = CudaGraph(stream, steps)
    for _ in range(2):
        with stream:
            recording.run()
    stream.wait()
    assert log == [
        "settle",
        *["steps"] * WARM_UP_RUNS,
        "wait",
        ("capture", 1, None, "thread_local"),
        "steps",
        "captured",
        "replay 1",
        "replay 1",
        "wait",
    ]


def test_all_graphs_of_a_stream_share_the_first_ones_memory_even_when_it_is_gone(
    stream: CudaStream,
) -> None:
    first = CudaGraph(stream, lambda: torch.ones(1))
    del first
    for _ in range(2):
        CudaGraph(stream, lambda: torch.ones(1))
    captures = [entry for entry in log if entry[0] == "capture"]
    assert [pool for _, _, pool, _ in captures] == [None, "pool of 1", "pool of 1"]
    assert stream.first_graph.number == 1


def test_on_the_processor_steps_run_into_the_same_memory() -> None:
    stream, numbers = CudaStream("cpu"), iter(range(5))
    recording = CudaGraph(stream, lambda: torch.full((2,), float(next(numbers))))
    place = recording.output.data_ptr()
    with stream:
        recording.run()
    assert recording.output.tolist() == [1.0, 1.0]
    assert recording.output.data_ptr() == place
    with stream:
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled()


def test_one_recording_at_a_time_in_all_threads() -> None:
    at_work, most = [0], [0]

    def steps() -> torch.Tensor:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        time.sleep(0.01)
        at_work[0] -= 1
        return torch.ones(1)

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(CudaGraph, CudaStream("cpu"), steps) for _ in range(8)]:
            future.result(10.0)
    assert most == [1]
