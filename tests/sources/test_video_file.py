from fractions import Fraction
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread

import av
import numpy as np
import pytest
from sources.drawn import frames_of, write_video

from livepose.errors import SourceError, UsageError
from livepose.sources import open_source, open_video
from livepose.sources.video import ForwardTimes


def test_irregular_times_are_those_of_the_file(tmp_path):
    times_s = [0.0, 0.04, 0.2, 0.21, 1.7, 1.75]
    frames = frames_of(write_video(tmp_path / "a.mp4", times_s))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-5)
    assert [frame.index for frame in frames] == list(range(6))
    assert [int(frame.image_bgr.mean().round()) for frame in frames] == pytest.approx(
        [50, 60, 70, 80, 90, 100], abs=6
    )


def test_time_starts_where_the_earliest_of_picture_and_sound_starts(tmp_path):
    times_s = [10 + k / 25 for k in range(50)]
    path = write_video(tmp_path / "a.ts", times_s)
    assert [f.time_s for f in frames_of(path)] == pytest.approx([t - 10 for t in times_s], abs=2e-5)


def test_times_never_go_back():
    times = ForwardTimes(Fraction(0), 0.04)
    given = [
        None,
        Fraction(1, 10),
        Fraction(1, 10),
        None,
        Fraction(0),
        Fraction(1, 25),
        Fraction(2),
    ]
    got = [times(value) for value in given]
    assert got == pytest.approx([0.0, 0.1, 0.14, 0.18, 0.22, 0.26, 2.22])


def test_where_no_start_is_known_the_first_frame_has_the_time_0():
    times = ForwardTimes(None, 0.04)
    assert [times(Fraction(k, 30)) for k in (1, 2)] == pytest.approx([0.0, 1 / 30])


def test_a_timestamp_of_zero_is_a_time():
    times = ForwardTimes(Fraction(0), 0.04)
    assert [times(Fraction(0)), times(Fraction(1, 100))] == [0.0, 0.01]


@pytest.mark.parametrize(
    ("rotate", "expected_wh"), [(0, (64, 48)), (90, (48, 64)), (180, (64, 48))]
)
def test_rotate_turns_every_frame_clockwise(tmp_path, rotate, expected_wh):
    image_bgr = np.zeros((48, 64, 3), np.uint8)
    image_bgr[:24, :32] = 255  # top left
    path = write_video(tmp_path / "a.mp4", [0.0, 0.04], image_bgr=image_bgr)
    with open_source(path, rotate=rotate) as source:
        assert source.size_wh == expected_wh
        frame = next(iter(source)).image_bgr
    height, width = frame.shape[:2]
    corner = {0: frame[5, 5], 90: frame[5, width - 5], 180: frame[height - 5, width - 5]}[rotate]
    assert corner.min() > 240 and (frame > 128).mean() == pytest.approx(0.25, abs=0.05)


def test_a_rotation_that_is_none_is_a_usage_error(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0.0])
    with pytest.raises(UsageError, match="expected 0, 90, 180 or 270 degrees, got 45"):
        open_source(path, rotate=45)


def test_a_source_says_what_it_is(tmp_path):
    with open_source(write_video(tmp_path / "a.mp4", [k / 25 for k in range(50)])) as source:
        assert (source.kind, source.live, source.frame_count) == ("video", False, 50)
        assert source.fps == pytest.approx(25)
        assert source.name.endswith("a.mp4")


def test_a_killed_recording_without_index_ends_without_an_error(tmp_path):
    whole, cut = tmp_path / "a.mp4", tmp_path / "b.mp4"
    write_video(
        whole,
        [k / 25 for k in range(40)],
        images=np.random.default_rng(0).integers(0, 255, (40, 48, 64, 3), np.uint8),
        options={"g": "5", "bf": "0"},
        container={"movflags": "frag_keyframe+empty_moov"},
    )
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    assert 20 <= len(frames_of(cut)) < 40


def test_a_file_behind_http_is_a_file_and_not_a_camera(tmp_path):
    write_video(tmp_path / "a.mp4", [0.0, 0.04, 0.08])

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *words):
            super().__init__(*words, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        with open_source(f"http://127.0.0.1:{server.server_port}/a.mp4") as source:
            assert source.kind == "video" and not source.live
            assert len(list(source)) == 3
        server.shutdown()


def test_closing_twice_and_in_the_middle_is_fine(tmp_path):
    source = open_video(write_video(tmp_path / "a.mp4", [k / 25 for k in range(50)]))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("nothing.mp4", None, "does not exist; expected a video file"),
        ("empty.mp4", b"", r"is empty \(0 bytes\)"),
        ("garbage.mp4", bytes(range(256)) * 40, "is not a video that can be read"),
        ("text.txt", b"hello " * 50, "is not a video that can be read"),
    ],
)
def test_a_file_without_a_picture_is_one_sentence(tmp_path, name, content, sentence, capfd):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=sentence) as caught:
        open_source(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.exit_code == 3
    assert capfd.readouterr() == ("", "")


def test_a_folder_for_a_video_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="is a folder; expected a video file"):
        open_video(tmp_path)


@pytest.mark.parametrize(
    ("name", "count", "size_wh"),
    [
        ("variable_frame_rate.mp4", 95, (640, 360)),
        ("size_change.mjpeg", 60, (320, 240)),
        ("size_change.ts", 240, (854, 480)),
        ("wrong_frame_count.avi", 60, (320, 180)),
        ("one_frame.mp4", 1, (480, 854)),
        ("odd_size.mp4", 120, (427, 241)),
        ("hevc_10bit.mkv", 120, (640, 480)),
        ("grayscale.avi", 45, (256, 148)),
        ("rotated_90.mp4", 150, (626, 360)),
    ],
)
def test_unusual_files_give_every_frame(said, shared, name, count, size_wh):
    with open_source(shared / "video" / name) as source:
        frames = list(source)
        assert source.size_wh == size_wh
    assert len(frames) == count and said == []
    assert frames[0].time_s == 0.0
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))
    assert all(f.image_bgr.dtype == np.uint8 and f.image_bgr.shape[2] == 3 for f in frames)


def test_the_frame_intervals_of_a_variable_rate_file_are_kept(shared):
    frames = frames_of(shared / "video" / "variable_frame_rate.mp4")
    steps_ms = {round(s * 1e3) for s in np.diff([frame.time_s for frame in frames])}
    assert steps_ms == {42, 83, 125, 167, 208, 292}


def test_a_raw_stream_without_times_runs_at_25_frames_a_second(shared):
    frames = frames_of(shared / "video" / "size_change.mjpeg")
    assert [frame.time_s for frame in frames] == pytest.approx([k / 25 for k in range(60)])
    assert [frames[29].size_wh, frames[30].size_wh] == [(640, 480), (320, 240)]


def test_an_implausible_frame_count_is_not_believed(shared):
    with open_source(shared / "video" / "wrong_frame_count.avi") as source:
        assert source.frame_count is None


def test_a_rotated_file_comes_upright(shared):
    with open_source(shared / "video" / "rotated_90.mp4") as source:
        turned_bgr = next(iter(source)).image_bgr
    with open_source(shared / "video" / "walk_with_audio.mp4") as source:
        upright_bgr = next(iter(source)).image_bgr
    assert np.abs(turned_bgr.astype(int) - upright_bgr).mean() < 8
    assert np.abs(turned_bgr[::-1, ::-1].astype(int) - upright_bgr).mean() > 20


def test_a_truncated_file_gives_what_there_is_and_then_says_that_it_broke_off(shared):
    frames = []
    with open_source(shared / "video" / "truncated.mp4") as source:
        with pytest.raises(SourceError) as caught:
            for frame in source:
                frames.append(frame)  # noqa: PERF402 - extend keeps nothing when it is interrupted
        assert source.frame_count == 384
    assert len(frames) == 200
    assert "broke off after 200 frames (8.4 s of 16.0 s); the file is incomplete" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("truncated_no_index.mp4", "is not a video that can be read; it is damaged, cut short"),
        ("audio_only.mp4", "has no picture, only audio"),
    ],
)
def test_broken_files_are_one_sentence(shared, name, sentence, capfd):
    with pytest.raises(SourceError, match=sentence):
        open_source(shared / "video" / name)
    assert capfd.readouterr() == ("", "")


def test_sound_with_a_cover_picture_is_no_video(tmp_path):
    path = tmp_path / "song.mkv"
    write_video(path, [0.0, 0.5], sound="aac")
    with av.open(str(path)) as given, av.open(str(tmp_path / "song.mp4"), "w") as output:
        cover = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        track = output.add_stream_from_template(given.streams.audio[0])
        drawn = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
        output.mux(cover.encode(drawn))
        output.mux(cover.encode(None))
        for packet in given.demux(audio=0):
            if packet.size:
                packet.stream = track
                output.mux(packet)
    with pytest.raises(SourceError, match="has no picture, only"):
        open_source(tmp_path / "song.mp4")
