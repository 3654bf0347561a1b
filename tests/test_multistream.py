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


@pytest.mark.parametrize("fails", [False, True], ids=["well", "an error reaches everybody"])
def test_who_asks_at_the_same_time_is_answered_in_one_batch(
    monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    monkeypatch.setattr("livepose.multistream.PATIENCE_S", 5.0)
    batched, batches = DynamicBatching(), []

    def double(numbers: Sequence[int]) -> list[int]:
        batches.append(sorted(numbers))
        if fails and 3 in numbers:
            raise DeviceError("cuda:0 ran out of memory")
        return [2 * number for number in numbers]

    def ask(number: int) -> list[int | str]:
        with batched.client():
            answers: list[int | str] = []
            for question in (number, number + 10):
                together.wait(5.0)
                try:
                    answers.append(batched(double, question))
                except DeviceError as error:
                    answers.append(str(error))
            return answers

    together = threading.Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        answered = list(pool.map(ask, range(4)))
    first = ["cuda:0 ran out of memory"] * 4 if fails else [0, 2, 4, 6]
    assert answered == [[one, 20 + 2 * number] for number, one in enumerate(first)]
    assert batches == [[0, 1, 2, 3], [10, 11, 12, 13]]


def test_the_one_device_does_one_batch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work = threading.Semaphore(1)

    def work(numbers: Sequence[int]) -> Sequence[int]:
        assert at_work.acquire(blocking=False)
        time.sleep(0.01)
        at_work.release()
        return numbers

    def other_work(numbers: Sequence[int]) -> Sequence[int]:
        return work(numbers)

    monkeypatch.setattr("livepose.multistream.PATIENCE_S", 0.002)
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
def runtime(make_pipeline: Make, monkeypatch: pytest.MonkeyPatch) -> CountingRuntime:
    made = CountingRuntime()
    monkeypatch.setattr("livepose.pipeline.open_runtime", lambda *_, **__: made)
    monkeypatch.setattr("livepose.multistream.PATIENCE_S", 0.5)
    return made


def starting(left: int, count: int) -> FakeSource:
    frames = [Frame(scene_image(left + 2 * n), n / 30, n) for n in range(count)]
    return FakeSource(frames)


def test_each_stream_sees_what_it_would_see_alone(runtime: CountingRuntime) -> None:
    service = PoseService(detect_every=4)
    sources = [starting(40, 12), starting(90, 12), starting(140, 7)]
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


def test_a_stream_takes_the_second_scale_as_it_would_alone(
    runtime: CountingRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livepose.pipeline.open_detector", lambda *_, **__: FarSightedDetector())
    service = PoseService()
    with service.stream() as pipeline:
        ours = [poses.track_ids.tolist() for _, poses in pipeline.run(walking(6))]
    assert ours == [[]] + [[1]] * 5


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("breaks", [False, True], ids=["well", "an error ends all"])
def test_the_command_plays_two_files_and_writes_each_its_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    breaks: bool,
) -> None:
    def opened(path: str, **_: object) -> FakeSource:
        if path == "b.mp4":
            return walking(400 if breaks else 9, name=path)
        error = DeviceError("cuda:0 ran out of memory") if breaks else None
        return walking(6, name=path, error=error)

    monkeypatch.setattr("livepose.cli.start.open_video", opened)
    path = tmp_path / "poses.jsonl"
    code = main(["--video", "a.mp4", "--video", "b.mp4", "--json", str(path)])
    first, second = (
        len((tmp_path / f"poses-{n}.jsonl").read_text().splitlines()) - 1 for n in (1, 2)
    )
    said = capsys.readouterr().err
    assert not path.exists()
    if breaks:
        assert code == 5 and second < 400
    else:
        assert (code, first, second) == (0, 6, 9)
        assert "a.mp4: 6 frames" in said and "b.mp4: 9 frames" in said
