"""Playing: what is drawn, written and closed, whatever happens."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeWindow, make_pipeline, walking

from livepose.errors import SinkError, SourceError
from livepose.frame import Frame, ImageBgr
from livepose.pipeline import PosePipeline
from livepose.player import Player, mirrored
from livepose.poses import Poses
from livepose.sinks.jsonl import JsonLinesSink
from livepose.sinks.video import VideoSink
from livepose.window import Command

__all__ = ["make_pipeline"]
Make = Callable[..., PosePipeline]


class MemorySink:
    """Keeps what it is given."""

    needs_drawing = True

    def __init__(self, fail_at: int | None = None) -> None:
        self.indices: list[int] = []
        self.drawn: list[ImageBgr | None] = []
        self.closed = 0
        self._fail_at = fail_at

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None) -> None:
        if frame.index == self._fail_at:
            raise SinkError("out.mp4: the disk is full")
        self.indices.append(frame.index)
        self.drawn.append(drawn_bgr)

    def close(self) -> None:
        self.closed += 1


def test_the_drawing_leaves_the_frame_itself_alone(make_pipeline: Make) -> None:
    source, sink = walking(3), MemorySink()
    before = [frame.image_bgr.copy() for frame in source.frames]
    Player(make_pipeline(), source, [sink]).play()
    for frame, old, drawn in zip(source.frames, before, sink.drawn, strict=True):
        np.testing.assert_array_equal(frame.image_bgr, old)
        assert drawn is not None
        assert (drawn != old).any()


def test_a_sink_that_fails_ends_the_playing_and_the_others_are_closed(make_pipeline: Make) -> None:
    good, bad = MemorySink(), MemorySink(fail_at=3)
    with pytest.raises(SinkError, match="disk is full"):
        Player(make_pipeline(), walking(200), [good, bad]).play()
    assert (good.closed, bad.closed) == (1, 1)


def test_a_lost_source_leaves_whole_outputs(make_pipeline: Make, tmp_path: Path) -> None:
    source = walking(12, error=SourceError("camera 0 stopped sending frames"))
    lines = tmp_path / "out.jsonl"
    sinks = [VideoSink(tmp_path / "out.mp4"), JsonLinesSink(str(lines), {})]
    with pytest.raises(SourceError):
        Player(make_pipeline(), source, sinks).play()
    assert len(lines.read_text().splitlines()) == 1 + 12
    assert decoded_frames(tmp_path / "out.mp4") == 12


def decoded_frames(path: Path) -> int:
    import av

    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_ctrl_c_leaves_whole_outputs(make_pipeline: Make, tmp_path: Path) -> None:
    lines = tmp_path / "out.jsonl"

    def interrupt(frame: Frame, poses: Poses, fps: float) -> None:
        if frame.index == 9:
            raise KeyboardInterrupt

    player = Player(make_pipeline(), walking(99), [JsonLinesSink(str(lines), {})])
    player.progress = interrupt
    with pytest.raises(KeyboardInterrupt):
        player.play()
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["frame"] for row in rows[1:]] == list(range(10))


def test_space_pauses_until_space(make_pipeline: Make) -> None:
    class Pausing(FakeWindow):
        polls = 0

        def poll(self) -> list[Command]:
            self.polls += 1
            return [Command.PAUSE] if self.polls in (2, 6) else []

    window = Pausing()
    summary = Player(make_pipeline(), walking(4, live=True), window=window).play()
    assert summary.frames == 4
    assert window.polls >= 4 + 4


def test_d_cycles_the_decoding(said: list[str], make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    keys = {number: [Command.DECODING] for number in (1, 2, 3)}
    Player(pipeline, walking(4, live=True), window=FakeWindow(keys)).play()
    assert said == ["decoding: argmax", "decoding: shift", "decoding: dark"]


def test_r_where_nothing_can_be_written_is_said_and_the_show_goes_on(
    make_pipeline: Make, tmp_path: Path, said: list[str]
) -> None:
    window = FakeWindow({2: [Command.RECORD]})
    source, folder = walking(12, live=True), tmp_path / "missing"
    summary = Player(make_pipeline(), source, window=window, folder=folder).play()
    assert summary.frames == 12
    assert said[0].startswith("no recording: cannot write")


def test_s_and_r_leave_a_snapshot_and_a_recording(make_pipeline: Make, tmp_path: Path) -> None:
    window = FakeWindow({2: [Command.SNAPSHOT, Command.RECORD], 8: [Command.RECORD]})
    source = walking(12, live=True)
    Player(make_pipeline(), source, window=window, folder=tmp_path).play()
    assert len(list(tmp_path.glob("livepose-*.png"))) == 1
    assert decoded_frames(next(tmp_path.glob("livepose-*.mp4"))) == 6


def test_a_mirror_turns_the_image_and_no_label(make_pipeline: Make) -> None:
    poses = make_pipeline().process(walking(1).frames[0].image_bgr)
    turned = mirrored(poses, 320)
    np.testing.assert_allclose(turned.keypoints_xy[..., 0], 319 - poses.keypoints_xy[..., 0])
    np.testing.assert_allclose(mirrored(turned, 320).boxes_xyxy, poses.boxes_xyxy)
    left, right = 5, 6
    assert poses.keypoints_xy[0, left, 0] > poses.keypoints_xy[0, right, 0]
    assert turned.keypoints_xy[0, left, 0] < turned.keypoints_xy[0, right, 0]


def test_the_age_of_the_shown_frame_stays_bounded_when_inference_is_slow(
    make_pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """A live source at 200 fps that hands out only its newest frame."""

        name, kind, live, fps, size_wh, frame_count = "cam", "camera", True, 200.0, None, None

        def __iter__(self):
            start_s = time.perf_counter()
            for index in range(10):
                now_s = time.perf_counter()
                frame = walking(1).frames[0].image_bgr
                yield Frame(frame, now_s - start_s, index, captured_s=now_s, dropped=4)

        def close(self) -> None:
            pass

    pipeline = make_pipeline()
    inner = pipeline.detector
    monkeypatch.setattr(pipeline, "detector", lambda images: (time.sleep(0.05), inner(images))[1])
    player = Player(pipeline, Slow(), window=FakeWindow())
    summary = player.play()
    assert summary.dropped == 40
    assert max(player._ages_ms) < 500


def test_drawing_inference_and_encoding_run_beside_each_other_and_keep_the_order(
    make_pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, threads = make_pipeline(), {}
    # Each frame is drawn while the next one is looked at, or else nobody comes to the meeting.
    meeting = threading.Barrier(2)
    looked, drawn = iter(range(20)), iter(range(20))
    inner = pipeline.process

    def process(*arguments: object) -> Poses:
        threads["inference"] = threading.get_ident()
        if next(looked) > 0:
            meeting.wait(timeout=20)
        return inner(*arguments)

    def draw(image: ImageBgr, *_: object, **__: object) -> ImageBgr:
        threads["drawing"] = threading.get_ident()
        if next(drawn) < 19:
            meeting.wait(timeout=20)
        return image

    class Noting(MemorySink):
        def write(self, *written: object) -> None:
            threads["encoding"] = threading.get_ident()
            super().write(*written)

    monkeypatch.setattr(pipeline, "process", process)
    monkeypatch.setattr("livepose.player.draw_poses", draw)
    sink = Noting()
    Player(pipeline, walking(20), [sink]).play()
    assert sink.indices == list(range(20))
    assert len(set(threads.values())) == 3


def test_frames_from_before_the_end_of_a_pause_are_not_shown_late(
    make_pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = walking(12, live=True)
    source.frames = [replace(one, captured_s=time.perf_counter()) for one in source.frames]
    window = FakeWindow({2: [Command.PAUSE]})
    polled = iter([False, True])
    inner = window.poll

    def poll() -> list[Command]:
        keys = inner()
        return keys or ([Command.PAUSE] if len(window.shown) == 2 and next(polled, False) else [])

    monkeypatch.setattr(window, "poll", poll)
    summary = Player(make_pipeline(), source, window=window).play()
    assert len(window.shown) == 2
    assert summary.dropped == 10


def test_what_a_budget_costs_is_said_on_the_screen_and_at_the_end(make_pipeline: Make) -> None:
    pipeline = make_pipeline(target_fps=500)
    pipeline.scheduler.costs.learn_crops(1, 1.0)
    window = FakeWindow()
    player = Player(pipeline, walking(20, fps=10.0, live=True), window=window)
    summary = player.play()
    assert any("poses predicted" in line for line in summary.dropped_work)
    assert player._figures(Poses.empty()).notes == summary.dropped_work
