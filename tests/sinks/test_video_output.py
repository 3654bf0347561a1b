import os
import signal
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from sinks.people import frame
from sources.drawn import write_video

from livepose.errors import SinkError, UsageError
from livepose.frame import Frame
from livepose.poses import Poses
from livepose.sinks.video import VideoSink
from livepose.sources import open_video

NOBODY = Poses.empty()


def times_of(path):
    with av.open(str(path)) as given:
        return [float(f.pts * f.time_base) for f in given.decode(video=0)]


def pictures_of(path):
    with av.open(str(path)) as given:
        return [f.to_ndarray(format="bgr24") for f in given.decode(video=0)]


def sound_of(path):
    """Times and bytes of the sound packets."""
    with av.open(str(path)) as given:
        if not given.streams.audio:
            return [], []
        packets = [p for p in given.demux(audio=0) if p.size]
        return [float(p.pts * p.time_base) for p in packets], [bytes(p) for p in packets]


def copy(source_path, path, stop_after=None, **options):
    with (
        open_video(source_path) as source,
        VideoSink(path, audio_from=source_path, fps=source.fps, **options) as sink,
    ):
        frames = []
        for current in source:
            sink.write(current, NOBODY, None)
            frames.append(current)
            if len(frames) == stop_after:
                break
    return frames


def write_times(path, times_s, **options):
    with VideoSink(path, **options) as sink:
        for index, time_s in enumerate(times_s):
            sink.write(frame(index, time_s), NOBODY, None)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_come_back_as_they_were(tmp_path, suffix):
    times_s = [0.5, 0.54, 0.6, 1.01, 1.02, 3.7, 3.75, 9.0]
    write_times(tmp_path / f"a{suffix}", times_s)
    tolerance = 1e-3 if suffix == ".mkv" else 1e-5
    assert times_of(tmp_path / f"a{suffix}") == pytest.approx(times_s, abs=tolerance)


def test_the_output_is_h264_in_yuv420p_that_browsers_play(tmp_path):
    write_times(tmp_path / "a.mp4", [k / 30 for k in range(60)], fps=30)
    with av.open(str(tmp_path / "a.mp4")) as given:
        context = given.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert context.profile in ("High", "Main", "Constrained Baseline")
        assert context.codec_tag == "avc1"
        level = context.extradata[3]
    assert level <= 42  # 4.2: what phones decode


def test_colours_come_back(tmp_path):
    colour_bgr = np.zeros((48, 64, 3), np.uint8)
    colour_bgr[:] = (40, 90, 200)
    with VideoSink(tmp_path / "a.mp4") as sink:
        sink.write(frame(), NOBODY, colour_bgr)
    got = pictures_of(tmp_path / "a.mp4")[0].mean(axis=(0, 1))
    assert np.abs(got - (40, 90, 200)).max() < 6


def test_the_drawn_picture_is_what_is_recorded(tmp_path):
    with VideoSink(tmp_path / "a.mp4") as sink:
        assert sink.needs_drawing
        sink.write(frame(0, 0.0, value=10), NOBODY, np.full((48, 64, 3), 220, np.uint8))
    assert pictures_of(tmp_path / "a.mp4")[0].mean() > 210


def test_odd_sides_are_made_even_by_repeating_the_edge(tmp_path):
    image_bgr = np.zeros((241, 427, 3), np.uint8)
    image_bgr[-1], image_bgr[:, -1] = 255, 255
    with VideoSink(tmp_path / "a.mp4") as sink:
        sink.write(Frame(image_bgr, 0.0, 0), NOBODY, None)
    got = pictures_of(tmp_path / "a.mp4")[0]
    assert got.shape == (242, 428, 3)
    assert got[-1, 200].min() > 180 and got[100, -1].min() > 180


def test_a_size_that_changes_is_fitted_into_the_first(tmp_path):
    with VideoSink(tmp_path / "a.mp4") as sink:
        sink.write(frame(0, 0.0, size_wh=(64, 48), value=200), NOBODY, None)
        sink.write(frame(1, 0.1, size_wh=(128, 48), value=200), NOBODY, None)
        sink.write(frame(2, 0.2, size_wh=(32, 24), value=200), NOBODY, None)
    first, wide, small = pictures_of(tmp_path / "a.mp4")
    assert first.shape == wide.shape == small.shape == (48, 64, 3)
    assert wide[2].max() < 40 and wide[24].min() > 150
    assert small.min() > 150


def test_times_that_repeat_or_go_back_are_moved_forward(tmp_path):
    write_times(tmp_path / "a.mp4", [0.0, 0.1, 0.1, 0.05, 0.2])
    times_s = times_of(tmp_path / "a.mp4")
    assert times_s == pytest.approx([0.0, 0.1, 0.1, 0.1, 0.2], abs=1e-4)
    assert len(set(times_s)) == 5


def test_a_recording_from_the_middle_of_a_run_starts_at_zero(tmp_path):
    write_times(tmp_path / "a.mp4", [42.0, 42.5], from_first_frame=True)
    assert times_of(tmp_path / "a.mp4") == pytest.approx([0.0, 0.5], abs=1e-5)


@pytest.mark.parametrize("name", ["walk_with_audio.mp4", "crossing_with_audio.mp4"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_carried_over_bit_for_bit_with_its_timing(shared, tmp_path, name, suffix):
    given, made = shared / "video" / name, tmp_path / f"a{suffix}"
    frames = copy(given, made)
    tolerance = 2e-3 if suffix == ".mkv" else 1e-5
    assert times_of(made) == pytest.approx([f.time_s for f in frames], abs=tolerance)
    (given_s, given_bytes), (made_s, made_bytes) = sound_of(given), sound_of(made)
    if suffix == ".mkv":  # Matroska has no times before 0, where the decoder warms up
        given_bytes = [data for data, s in zip(given_bytes, given_s, strict=True) if s >= 0]
        given_s = [s for s in given_s if s >= 0]
    assert made_bytes == given_bytes and len(made_bytes) > 300
    assert np.abs(np.subtract(made_s, given_s)).max() < tolerance
    with av.open(str(made)) as after, av.open(str(given)) as before:
        assert after.duration == pytest.approx(before.duration, abs=60_000)


def test_picture_and_sound_lie_side_by_side_in_the_file(shared, tmp_path):
    copy(shared / "video" / "walk_with_audio.mp4", tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as given:
        packets = sorted((p.pos, p.stream.type, float(p.dts * p.time_base))
                         for p in given.demux() if p.size)  # fmt: skip
    newest = {"video": 0.0, "audio": 0.0}
    gaps_s = []
    for _, kind, time_s in packets:
        newest[kind] = time_s
        gaps_s.append(abs(newest["video"] - newest["audio"]))
    assert max(gaps_s) < 1.5  # a fragment holds a second


def test_sound_stops_with_the_picture_when_a_run_is_ended_early(shared, tmp_path):
    copy(shared / "video" / "walk_with_audio.mp4", tmp_path / "a.mp4", stop_after=60)
    times_s, _ = sound_of(tmp_path / "a.mp4")
    assert 1.9 < times_s[-1] < 2.1


@pytest.mark.parametrize(("codec", "start_s"), [("ac3", 0.0), ("pcm_s16le", 0.0), ("flac", 0.3)])
def test_sound_that_browsers_do_not_play_becomes_aac(tmp_path, codec, start_s):
    given = write_video(
        tmp_path / "a.mkv", [k / 25 for k in range(75)], sound=codec, sound_from_s=start_s
    )
    copy(given, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as made:
        assert made.streams.audio[0].codec_context.name == "aac"
        assert float(made.streams.audio[0].duration * made.streams.audio[0].time_base) > 2.5
        heard = np.concatenate([f.to_ndarray()[0] for f in made.decode(audio=0)])
    spectrum = np.abs(np.fft.rfft(heard[24_000:72_000]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert sound_of(tmp_path / "b.mp4")[0][1] == pytest.approx(start_s, abs=0.03)


def test_sound_from_a_transport_stream_is_playable(tmp_path):
    given = write_video(tmp_path / "a.ts", [5 + k / 25 for k in range(75)], sound="aac",
                        sound_from_s=5.0)  # fmt: skip
    copy(given, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as made:
        assert len(list(made.decode(audio=0))) > 130
    assert times_of(tmp_path / "b.mp4")[0] == pytest.approx(0.0, abs=0.05)


def test_a_source_without_sound_gives_a_video_without_sound(tmp_path):
    given = write_video(tmp_path / "a.mp4", [0.0, 0.04])
    copy(given, tmp_path / "b.mp4")
    assert sound_of(tmp_path / "b.mp4") == ([], [])


KILLED = """
import os, sys, time
import numpy as np
from livepose.sinks.video import VideoSink
from livepose.poses import Poses
from livepose.frame import Frame
sink = VideoSink(sys.argv[1], fps=30)
rng = np.random.default_rng(1)
for index in range(10_000):
    image_bgr = rng.integers(0, 255, (48, 64, 3), np.uint8)
    sink.write(Frame(image_bgr, index / 30, index), Poses.empty(), None)
    if index == 200:
        print("written", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_killed_run_leaves_what_was_written_playable(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    times_s = times_of(path)
    assert len(times_s) >= 150  # all but the last second and what the encoder held
    assert times_s[:150] == pytest.approx([k / 30 for k in range(150)], abs=1e-3)


def test_a_finished_mp4_is_a_plain_one(tmp_path):
    write_times(tmp_path / "a.mp4", [k / 10 for k in range(50)])
    with av.open(str(tmp_path / "a.mp4")) as given:
        assert given.streams.video[0].frames == 50
        assert given.duration == pytest.approx(5_000_000, abs=100_000)


@pytest.mark.parametrize("name", ["a.webm", "a.gif", "a"])
def test_another_suffix_is_a_usage_error(tmp_path, name):
    with pytest.raises(UsageError, match=r"expected \.mp4, \.m4v, \.mov, \.mkv"):
        VideoSink(tmp_path / name)


def test_the_input_is_never_written_over(tmp_path):
    given = write_video(tmp_path / "a.mp4", [0.0])
    with pytest.raises(UsageError, match="is the input itself"):
        VideoSink(given, audio_from=given)


def test_a_missing_folder_is_one_sentence_before_the_first_frame(tmp_path):
    with pytest.raises(SinkError, match="does not exist; create it first"):
        VideoSink(tmp_path / "missing" / "a.mp4")


def test_a_folder_is_one_sentence_before_the_first_frame(tmp_path):
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(SinkError, match="it is a folder"):
        VideoSink(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_one_sentence_and_closing_is_quiet(tmp_path, suffix, capfd):
    path = tmp_path / f"a{suffix}"
    path.symlink_to("/dev/full")
    sink = VideoSink(path)
    noise = np.random.default_rng(0)
    with pytest.raises(SinkError, match="the disk is full; make room"):
        for index in range(300):
            image_bgr = noise.integers(0, 255, (240, 320, 3), np.uint8)
            sink.write(Frame(image_bgr, index / 25, index), NOBODY, None)
        sink.close()
    sink.close()
    assert capfd.readouterr() == ("", "")


def test_a_disk_that_fills_up_leaves_what_was_written_playable(tmp_path):
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))\n" + KILLED
    ).replace("(48, 64, 3)", "(96, 128, 3)")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.mp4")],
        capture_output=True, text=True, env=environment, timeout=60,
    )  # fmt: skip
    assert "SinkError: cannot write" in done.stderr and "File too large" in done.stderr
    with open_video(tmp_path / "a.mp4") as left:
        assert len(list(left)) >= 15


def test_without_a_frame_there_is_no_file(tmp_path):
    VideoSink(tmp_path / "a.mp4").close()
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_stays_until_the_first_frame(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"earlier")
    VideoSink(tmp_path / "a.mp4", overwrite=True).close()
    assert (tmp_path / "a.mp4").read_bytes() == b"earlier"


@pytest.mark.parametrize("interval_s", [60.0, 3600.0])
def test_a_time_lapse_with_a_frame_every_minute_keeps_its_times(tmp_path, interval_s):
    times_s = [index * interval_s for index in range(3)]
    write_times(tmp_path / "a.mp4", times_s, fps=1 / interval_s)
    assert times_of(tmp_path / "a.mp4") == times_s


def test_one_frame_is_a_video(tmp_path):
    write_times(tmp_path / "a.mp4", [0.0], fps=5)
    assert times_of(tmp_path / "a.mp4") == [0.0]
    assert Fraction(1, 10) < av.open(str(tmp_path / "a.mp4")).duration / 1_000_000


@pytest.mark.parametrize("name", ["rotated_90.mp4", "size_change.ts", "odd_size.mp4",
                                  "variable_frame_rate.mp4", "hevc_10bit.mkv"])  # fmt: skip
def test_unusual_files_come_out_with_their_times(shared, tmp_path, name):
    frames = copy(shared / "video" / name, tmp_path / "a.mp4")
    assert times_of(tmp_path / "a.mp4") == pytest.approx([f.time_s for f in frames], abs=2e-5)
