"""Playing: what is drawn, written and closed, whatever happens."""

import json
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from fakes import FakeWindow, walking

from livepose.errors import SinkError, SourceError
from livepose.frame import Frame, ImageBgr
from livepose.player import Player, mirrored
from livepose.poses import Poses
from livepose.sinks.jsonl import JsonLinesSink
from livepose.sinks.video import VideoSink
from livepose.window import Command


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


def test_the_drawing_leaves_the_frame_itself_alone(make_pipeline):
    source, sink = walking(3), MemorySink()
    before = [frame.image_bgr.copy() for frame in source.frames]
    Player(make_pipeline(), source, [sink]).play()
    for frame, old, drawn in zip(source.frames, before, sink.drawn, strict=True):
        np.testing.assert_array_equal(frame.image_bgr, old)
        assert (drawn != old).any()


def test_a_sink_that_fails_ends_the_playing_and_the_others_are_closed(make_pipeline):
    good, bad = MemorySink(), MemorySink(fail_at=3)
    with pytest.raises(SinkError, match="disk is full"):
        Player(make_pipeline(), walking(200), [good, bad]).play()
    assert (good.closed, bad.closed) == (1, 1)


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize("error", [SourceError, KeyboardInterrupt])
def test_a_lost_source_and_ctrl_c_leave_whole_outputs(make_pipeline, tmp_path, error):
    def interrupt(frame: Frame, *_: object) -> None:
        if error is KeyboardInterrupt and frame.index == 11:
            raise KeyboardInterrupt

    lost = error is SourceError
    source = walking(12 if lost else 99, error=error("camera 0 is gone") if lost else None)
    lines = tmp_path / "out.jsonl"
    sinks = [VideoSink(tmp_path / "out.mp4"), JsonLinesSink(str(lines), {})]
    with pytest.raises(error):
        Player(make_pipeline(), source, sinks, progress=interrupt).play()
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [row["frame"] for row in rows[1:]] == list(range(12))
    assert frames_of(tmp_path / "out.mp4") == 12
    assert source.closed


def test_space_pauses_until_space(make_pipeline):
    class Pausing(FakeWindow):
        polls = 0

        def poll(self) -> list[Command]:
            self.polls += 1
            return [Command.PAUSE] if self.polls in (2, 6) else []

    window = Pausing()
    assert Player(make_pipeline(), walking(4, live=True), window=window).play().frames == 4
    assert window.polls >= 4 + 4


def test_keys_take_snapshots_and_recordings_and_cycle_the_decoding(
    make_pipeline, tmp_path, monkeypatch, said
):
    monkeypatch.chdir(tmp_path)
    keys = {number: [Command.DECODING] for number in (1, 2, 3)}
    keys |= {2: [Command.SNAPSHOT, Command.RECORD, Command.DECODING], 8: [Command.RECORD]}
    window = FakeWindow(keys)
    Player(make_pipeline(), walking(12, live=True), window=window).play()
    decodings = [line for line in said if line.startswith("decoding")]
    assert decodings == ["decoding: argmax", "decoding: shift", "decoding: dark"]
    assert len(list(tmp_path.glob("livepose-*.png"))) == 1
    assert frames_of(next(tmp_path.glob("livepose-*.mp4"))) == 6


def test_r_where_nothing_can_be_written_is_said_and_the_show_goes_on(
    make_pipeline, tmp_path, monkeypatch, said
):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    window = FakeWindow({2: [Command.RECORD]})
    assert Player(make_pipeline(), walking(6, live=True), window=window).play().frames == 6
    assert said[-1].startswith("no recording: cannot write")


def test_a_mirror_turns_the_image_and_no_label(make_pipeline):
    poses = make_pipeline().process(walking(1).frames[0].image_bgr)
    turned = mirrored(poses, 320)
    np.testing.assert_allclose(turned.keypoints_xy[..., 0], 319 - poses.keypoints_xy[..., 0])
    np.testing.assert_allclose(mirrored(turned, 320).boxes_xyxy, poses.boxes_xyxy)
    left, right = 5, 6
    assert poses.keypoints_xy[0, left, 0] > poses.keypoints_xy[0, right, 0]
    assert turned.keypoints_xy[0, left, 0] < turned.keypoints_xy[0, right, 0]


def test_drawing_inference_and_encoding_run_beside_each_other_and_keep_the_order(
    make_pipeline, monkeypatch
):
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


def test_what_a_budget_costs_is_said_at_the_end(make_pipeline):
    pipeline = make_pipeline(target_fps=500)
    pipeline.scheduler.costs.learn_crops(1, 1.0)
    summary = Player(pipeline, walking(20, fps=10.0, live=True), window=FakeWindow()).play()
    assert any("poses predicted" in line for line in summary.dropped_work)
