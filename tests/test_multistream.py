"""Several streams on one pair of networks: batches, order, and everybody's own people."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fakes import FakeRuntime, FakeSource, FarSightedDetector, walking

from livepose.cli import main
from livepose.errors import DeviceError
from livepose.multistream import DynamicBatching, PoseService
from livepose.pipeline import PosePipeline
from livepose.poses import Poses


def test_who_asks_at_the_same_time_is_answered_in_one_batch_and_hears_of_its_error(monkeypatch):
    monkeypatch.setattr("livepose.multistream.PATIENCE_S", 5.0)
    batched, batches, together = DynamicBatching(), [], threading.Barrier(4)

    def double(numbers: Sequence[int]) -> list[int]:
        batches.append(sorted(numbers))
        if 3 in numbers:
            raise DeviceError("cuda:0 ran out of memory")
        return [2 * number for number in numbers]

    def ask(number: int) -> int:
        with batched.client():
            together.wait(5.0)
            with pytest.raises(DeviceError, match="out of memory"):
                batched(double, number)
            together.wait(5.0)
            return batched(double, number + 10)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [20, 22, 24, 26]
    assert batches == [[0, 1, 2, 3], [10, 11, 12, 13]]


def test_the_one_device_does_one_batch_at_a_time():
    at_work = threading.Semaphore(1)

    def work(numbers: Sequence[int]) -> Sequence[int]:
        assert at_work.acquire(blocking=False)
        time.sleep(0.01)
        at_work.release()
        return numbers

    def other_work(numbers: Sequence[int]) -> Sequence[int]:
        return work(numbers)

    batched = DynamicBatching()
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
def runtime(make_pipeline, monkeypatch) -> CountingRuntime:
    made = CountingRuntime()
    monkeypatch.setattr("livepose.pipeline.open_runtime", lambda *_, **__: made)
    monkeypatch.setattr("livepose.multistream.PATIENCE_S", 0.5)
    return made


def test_each_stream_sees_what_it_would_see_alone(runtime):
    service = PoseService(detect_every=4)
    sources = [walking(count, start=start) for count, start in ((12, 40), (12, 90), (7, 140))]
    together = threading.Barrier(len(sources))

    def follow(source: FakeSource) -> list[Poses]:
        with service.stream() as pipeline:
            together.wait(10.0)
            return [poses for _, poses in pipeline.run(source)]

    runtime.batches.clear()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(follow, sources))
    assert max(runtime.batches) >= 2
    assert sum(runtime.batches) == 12 + 12 + 7
    for ours, source in zip(found, sources, strict=True):
        theirs = [poses for _, poses in PosePipeline(detect_every=4).run(source)]
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.track_ids, other.track_ids)
            np.testing.assert_allclose(one.keypoints_xy, other.keypoints_xy)


def test_a_stream_takes_the_second_scale_as_it_would_alone(runtime, monkeypatch):
    monkeypatch.setattr("livepose.pipeline.open_detector", lambda *_, **__: FarSightedDetector())
    with PoseService().stream() as pipeline:
        ours = [poses.track_ids.tolist() for _, poses in pipeline.run(walking(6))]
    assert ours == [[1]] * 6


@pytest.mark.parametrize("breaks", [False, True], ids=["well", "an error ends all"])
def test_two_files_are_played_and_written_each_its_own(
    runtime, tmp_path, monkeypatch, said, breaks
):
    def opened(path: str, **_: object) -> FakeSource:
        if path == "b.mp4":
            return walking(400 if breaks else 9, name=path)
        error = DeviceError("cuda:0 ran out of memory") if breaks else None
        return walking(6, name=path, error=error)

    monkeypatch.setattr("livepose.cli.start.open_video", opened)
    path = tmp_path / "poses.jsonl"
    code = main(["--video", "a.mp4", "--video", "b.mp4", "--json", str(path)])
    counts = [(tmp_path / f"poses-{n}.jsonl").read_text().count("\n") - 1 for n in (1, 2)]
    assert not path.exists()
    if breaks:
        assert code == 5 and counts[1] < 400
    else:
        assert (code, counts) == (0, [6, 9])
        assert {line[:15] for line in said[-2:]} == {"a.mp4: 6 frames", "b.mp4: 9 frames"}
