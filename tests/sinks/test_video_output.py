"""Recordings: exact times, the input's sound, and something playable whatever happens."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest
from sinks.people import frame
from sources.drawn import frames_of, write_video

from livepose.errors import SinkError, UsageError
from livepose.frame import Frame
from livepose.poses import Poses
from livepose.sinks.video import VideoSink
from livepose.sources import open_video

NOBODY = Poses.empty()


def times_of(path):
    with av.open(str(path)) as given:
        return [float(f.pts * f.time_base) for f in given.decode(video=0)]


def sound_of(path):
    """Times and bytes of the sound packets."""
    with av.open(str(path)) as given:
        packets = [p for p in given.demux(audio=0) if p.size]
        return [float(p.pts * p.time_base) for p in packets], [bytes(p) for p in packets]


def write(path, frames, **options):
    with VideoSink(path, **options) as sink:
        for one in frames:
            sink.write(one, NOBODY)


def copy(source_path, path):
    with open_video(source_path) as source:
        frames = list(source)
        write(path, frames, audio_from=source_path, fps=source.fps)
    return frames


def at_times(times_s):
    return [frame(index, time_s) for index, time_s in enumerate(times_s)]


UNEVEN_S = [0.5, 0.54, 0.6, 1.01, 1.02, 3.7, 3.75, 9.0]


@pytest.mark.parametrize(
    ("suffix", "given_s", "wanted_s", "options"),
    [
        (".mp4", UNEVEN_S, UNEVEN_S, {}),
        (".mkv", UNEVEN_S, UNEVEN_S, {}),
        (".mp4", [0.0, 0.1, 0.1, 0.05, 0.2], [0.0, 0.1, 0.1, 0.1, 0.2], {}),
        (".mp4", [42.0, 42.5], [0.0, 0.5], {"from_first_frame": True}),
        (".mp4", [0.0, 3600.0, 7200.0], [0.0, 3600.0, 7200.0], {"fps": 1 / 3600}),
        (".mp4", [0.0], [0.0], {"fps": 5}),
    ],
    ids=["mp4", "mkv", "back", "from the first", "an hour", "one"],
)
def test_times_come_back_as_they_were_and_go_forward(tmp_path, suffix, given_s, wanted_s, options):
    path = tmp_path / f"a{suffix}"
    write(path, at_times(given_s), **options)
    times_s = times_of(path)
    assert times_s == pytest.approx(wanted_s, abs=1e-3 if suffix == ".mkv" else 5e-5)
    assert len(set(times_s)) == len(given_s)


def test_the_output_is_plain_h264_in_yuv420p_that_browsers_play(tmp_path):
    write(tmp_path / "a.mp4", at_times(k / 30 for k in range(60)), fps=30)
    with av.open(str(tmp_path / "a.mp4")) as given:
        context = given.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.codec_tag) == ("h264", "yuv420p", "avc1")
        assert context.extradata[3] <= 42  # level 4.2: what phones decode
        # When it ends well the fragments have become a plain file.
        assert given.streams.video[0].frames == 60


def test_the_drawn_image_is_recorded_in_its_colours(tmp_path):
    colour_bgr = np.full((48, 64, 3), (40, 90, 200), np.uint8)
    with VideoSink(tmp_path / "a.mp4") as sink:
        sink.write(frame(), NOBODY, colour_bgr)
    got = frames_of(tmp_path / "a.mp4")[0].image_bgr.mean(axis=(0, 1))
    assert np.abs(got - (40, 90, 200)).max() < 6


def test_a_size_that_changes_is_fitted_into_the_first(tmp_path):
    sizes_wh = (64, 48), (128, 48), (32, 24)
    frames = [frame(i, i / 10, size_wh, value=200) for i, size_wh in enumerate(sizes_wh)]
    write(tmp_path / "a.mp4", frames)
    first, wide, small = (f.image_bgr for f in frames_of(tmp_path / "a.mp4"))
    assert first.shape == wide.shape == small.shape == (48, 64, 3)
    assert wide[2].max() < 40 and wide[24].min() > 150
    assert small.min() > 150


def test_sound_is_carried_over_bit_for_bit_with_its_timing(shared, tmp_path):
    given, made = shared / "video" / "walk_with_audio.mp4", tmp_path / "a.mp4"
    frames = copy(given, made)
    assert times_of(made) == pytest.approx([f.time_s for f in frames], abs=1e-5)
    (given_s, given_bytes), (made_s, made_bytes) = sound_of(given), sound_of(made)
    assert made_bytes == given_bytes and len(made_bytes) > 300
    assert np.abs(np.subtract(made_s, given_s)).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "codec", "start_s"),
    [("a.mkv", "pcm_s16le", 0.0), ("a.mkv", "flac", 0.3), ("a.ts", "aac", 0)],
)
def test_sound_that_browsers_do_not_play_becomes_aac(tmp_path, name, codec, start_s):
    first_s = 5.0 if name == "a.ts" else 0.0
    times_s = [first_s + k / 25 for k in range(75)]
    given = write_video(tmp_path / name, times_s, sound=codec, sound_from_s=first_s + start_s)
    copy(given, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as made:
        context = made.streams.audio[0].codec_context
        assert context.name == "aac"
        heard = np.concatenate([f.to_ndarray()[0] for f in made.decode(audio=0)])
    assert len(heard) > 2.5 * context.sample_rate
    spectrum = np.abs(np.fft.rfft(heard[24_000:][: context.sample_rate]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert sound_of(tmp_path / "b.mp4")[0][1] == pytest.approx(start_s, abs=0.03)
    assert times_of(tmp_path / "b.mp4")[0] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
def test_sound_that_is_longer_than_the_image_is_kept_to_its_end(tmp_path, name):
    given = write_video(tmp_path / name, [k / 25 for k in range(10)], sound="aac", sound_to_s=3.0)
    copy(given, tmp_path / "b.mp4")
    assert sound_of(tmp_path / "b.mp4")[0][-1] > 2.9 and len(times_of(tmp_path / "b.mp4")) == 10


def noise(frames):
    rng = np.random.default_rng(1)
    for index in range(frames):
        yield Frame(rng.integers(0, 255, (96, 128, 3), np.uint8), index / 30, index)


def moving_noise():
    image_bgr = np.random.default_rng(0).integers(0, 255, (479, 853, 3), np.uint8)
    for index in range(12):
        yield Frame(np.roll(image_bgr, index, 0), index / 25, index)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc fills memory on request")
def test_the_same_images_give_the_same_file_whatever_lies_in_memory(tmp_path):
    made, code = [], "from sinks.test_video_output import *; write(sys.argv[1], moving_noise())"
    for byte in ("1", "3"):
        command = [sys.executable, "-c", code, str(tmp_path / f"{byte}.mp4")]
        changes = {"MALLOC_PERTURB_": byte, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(command, check=True, env=os.environ | changes)
        made.append((tmp_path / f"{byte}.mp4").read_bytes())
    assert made[0] == made[1]


def test_what_is_on_the_disk_when_a_run_is_killed_is_playable(tmp_path):
    with VideoSink(tmp_path / "a.mp4", fps=30) as sink:
        for one in noise(200):
            sink.write(one, NOBODY)
        left = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "killed.mp4").write_bytes(left)
    times_s = times_of(tmp_path / "killed.mp4")
    assert len(times_s) >= 150  # all but the last second and what the encoder held
    assert times_s[:150] == pytest.approx([k / 30 for k in range(150)], abs=1e-3)


def test_a_full_disk_or_a_pipe_without_a_reader_is_one_sentence(tmp_path, capfd, monkeypatch):
    path, pipe = tmp_path / "a.mp4", tmp_path / "b.mp4"
    path.symlink_to("/dev/full")
    sink = VideoSink(path)
    with pytest.raises(SinkError, match="the disk is full; make room"):
        for one in noise(300):
            sink.write(one, NOBODY)
        sink.close()
    sink.close()
    os.mkfifo(pipe)
    monkeypatch.setattr("livepose.files._READER_PATIENCE_S", 0.1)
    with pytest.raises(SinkError, match="nobody reads this pipe"):
        write(pipe, noise(1))
    assert capfd.readouterr() == ("", "")


def test_an_earlier_file_stays_until_the_first_frame(tmp_path):
    with pytest.raises(UsageError, match=r"expected \.mp4, \.m4v, \.mov, \.mkv"):
        VideoSink(tmp_path / "a.webm")
    given = write_video(tmp_path / "a.mp4", [0.0, 0.04])
    before = given.read_bytes()
    with pytest.raises(UsageError, match="is the input itself"):
        VideoSink(given, audio_from=given, overwrite=True)
    VideoSink(given, overwrite=True).close()
    assert given.read_bytes() == before
