"""Several streams on one pair of networks: batches, order, and everybody's own people."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fakes import (
    FakeRuntime,
    FakeSource,
    FarSightedDetector,
    make_pipeline,
    scene_image,
    walking,
)

from livepose.cli import main
from livepose.errors import DeviceError
from livepose.frame import Frame
from livepose.multistream import DynamicBatching, PoseService
from livepose.pipeline import PosePipeline
from livepose.poses import Poses

__all__ = ["make_pipeline"]
Make = Callable[..., PosePipeline]


def batching(clients: int, patience_s: float, monkeypatch: pytest.MonkeyPatch) -> DynamicBatching:
    monkeypatch.setattr("livepose.multistream.PATIENCE_S", patience_s)
    made = DynamicBatching()
    for _ in range(clients):
        made._clients_are(+1)
    return made


def asked_by(
    batched: DynamicBatching, work: Callable[..., Sequence[int]], questions: Sequence[int]
) -> list[int | str]:
    """Everybody asks at once; an error is an answer too."""
    together = threading.Barrier(len(questions))

    def ask(question: int) -> int | str:
        together.wait(5.0)
        try:
            return batched(work, question)
        except DeviceError as error:
            return str(error)

    with ThreadPoolExecutor(len(questions)) as pool:
        return list(pool.map(ask, questions))


def test_who_asks_at_the_same_time_is_answered_in_one_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches: list[list[int]] = []

    def double(numbers: Sequence[int]) -> list[int]:
        batches.append(list(numbers))
        return [2 * number for number in numbers]

    batched = batching(6, 5.0, monkeypatch)
    assert asked_by(batched, double, range(6)) == [0, 2, 4, 6, 8, 10]
    assert [sorted(batch) for batch in batches] == [[0, 1, 2, 3, 4, 5]]


def test_an_error_reaches_everybody_who_waits_and_the_next_batch_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail_once(numbers: Sequence[int]) -> Sequence[int]:
        if 3 in numbers:
            raise DeviceError("cuda:0 ran out of memory")
        return numbers

    batched = batching(2, 2.0, monkeypatch)
    assert asked_by(batched, fail_once, [3, 4]) == ["cuda:0 ran out of memory"] * 2
    assert asked_by(batched, fail_once, [1, 2]) == [1, 2]


def test_the_one_device_does_one_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = threading.Semaphore(1)

    def work(numbers: Sequence[int]) -> Sequence[int]:
        assert at_work.acquire(blocking=False)
        time.sleep(0.01)
        at_work.release()
        return numbers

    def other_work(numbers: Sequence[int]) -> Sequence[int]:
        return work(numbers)

    batched = batching(0, 0.002, monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(batched, (work, other_work)[n % 2], n) for n in range(16)]
        assert [call.result(10.0) for call in calls] == list(range(16))


class CountingRuntime(FakeRuntime):
    """Notes how many crops came at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        self.batches.append(len(crops_bgr))
        return super().__call__(crops_bgr)


@pytest.fixture
def runtime(make_pipeline: Make, monkeypatch: pytest.MonkeyPatch) -> CountingRuntime:
    made = CountingRuntime()
    monkeypatch.setattr("livepose.pipeline.open_runtime", lambda *_, **__: made)
    monkeypatch.setattr("livepose.multistream.PATIENCE_S", 0.5)
    return made


def alone(source: FakeSource) -> list[tuple[Frame, Poses]]:
    return list(PosePipeline(detect_every=4).run(source))


def starting(left: int, count: int) -> FakeSource:
    frames = [Frame(scene_image(left + 2 * n), n / 30, n) for n in range(count)]
    return FakeSource(frames)


def test_each_stream_sees_what_it_would_see_alone(runtime: CountingRuntime) -> None:
    service = PoseService(detect_every=4)
    sources = [starting(40, 12), starting(90, 12), starting(140, 7)]
    together = threading.Barrier(len(sources))

    def follow(source: FakeSource) -> list[tuple[Frame, Poses]]:
        with service.stream() as pipeline:
            together.wait(10.0)
            return list(pipeline.run(source))

    runtime.batches.clear()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(follow, sources))
    assert max(runtime.batches) >= 2
    assert sum(runtime.batches) == 12 + 12 + 7
    for ours, source in zip(
        found, (starting(40, 12), starting(90, 12), starting(140, 7)), strict=True
    ):
        theirs = alone(source)
        assert len(ours) == len(theirs)
        for (_, one), (_, other) in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.track_ids, other.track_ids)
            np.testing.assert_allclose(one.keypoints_xy, other.keypoints_xy)


def test_a_stream_takes_the_second_scale_as_it_would_alone(
    runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livepose.pipeline.open_detector", lambda *_, **__: FarSightedDetector())
    service = PoseService()
    with service.stream() as pipeline:
        ours = [poses.track_ids.tolist() for _, poses in pipeline.run(walking(6))]
    assert ours == [[]] + [[1]] * 5


@pytest.fixture
def two_files(runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that the command line names; they hold 6 and 9 frames."""
    lengths = {"a.mp4": 6, "b.mp4": 9}

    def opened(path: str, **_: object) -> FakeSource:
        return walking(lengths[path], name=path)

    monkeypatch.setattr("livepose.cli.start.open_video", opened)
    return list(lengths)


def test_the_command_plays_two_files_and_writes_each_its_own(
    two_files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for name in two_files for word in ("--video", name)]
    path = tmp_path / "poses.jsonl"
    assert main([*words, "--json", str(path)]) == 0
    lines = [(tmp_path / f"poses-{n}.jsonl").read_text().splitlines() for n in (1, 2)]
    assert [len(one) for one in lines] == [1 + 6, 1 + 9]
    assert not path.exists()
    said = capsys.readouterr().err
    assert "a.mp4: 6 frames" in said
    assert "b.mp4: 9 frames" in said


def test_an_error_in_one_stream_ends_all_and_is_said(
    two_files: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: str, **_: object) -> FakeSource:
        broken = DeviceError("cuda:0 ran out of memory") if path == "a.mp4" else None
        return walking(5 if broken else 400, name=path, error=broken)

    monkeypatch.setattr("livepose.cli.start.open_video", opened)
    path = tmp_path / "poses.jsonl"
    assert main(["--video", "a.mp4", "--video", "b.mp4", "--json", str(path)]) == 5
    written = (tmp_path / "poses-2.jsonl").read_text().splitlines()
    assert 1 <= len(written) < 401
