"""Video files: every frame, its time, and how the file wants it shown."""

import gc
import struct
import subprocess
import sys
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from sources.drawn import frames_of, write_video
from sources.loopback import folder_served

from livepose.errors import SourceError
from livepose.sources import Excerpt, VideoSource, open_source, open_video
from livepose.sources.frames import HLG, PQ, to_sdr


@pytest.mark.parametrize(("name", "begins_s"), [("a.mp4", 0), ("a.ts", 10), ("a.mkv", 10)])
def test_irregular_times_are_those_of_the_file_wherever_it_begins(tmp_path, name, begins_s):
    times_s = [0.0, 0.04, 0.2, 0.24, 1.7, 1.75]
    frames = frames_of(write_video(tmp_path / name, [begins_s + time_s for time_s in times_s]))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=2e-5)
    assert [frame.index for frame in frames] == list(range(6))
    brightness = [frame.image_bgr.mean() for frame in frames]
    assert brightness == pytest.approx([50, 60, 70, 80, 90, 100], abs=6)


@pytest.mark.parametrize(
    ("name", "form", "codec", "rate"),
    (
        *(("a.avi", "avi", "libx264", 24), ("a.mxf", "mxf", "libx264", 50)),
        *(("a.mxf", "mxf", "mpeg2video", 25), ("a.asf", "asf", "libx264", 25)),
        *(("a.h264", "h264", "libx264", 12), ("a.h265", "hevc", "libx265", 12)),
        *(("a.m2v", "mpeg2video", "mpeg2video", 50), ("a.m4v", "m4v", "mpeg4", 12)),
        *(("a.ts", "mpegts", "libx264", 24), ("a.ivf", "ivf", "libvpx", 12)),
    ),
)
def test_frames_of_any_container_have_even_times(tmp_path, name, form, codec, rate):
    path = tmp_path / name
    options = {"bf": "2", "g": "12", "x265-params": "log-level=none"}
    with av.open(str(path), "w", format=form) as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            drawn = np.full((48, 64, 3), 20 + 7 * number, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(drawn, format="bgr24")))
        output.mux(stream.encode(None))
    with open_source(path) as source:
        frames = list(source)
        assert source.fps == pytest.approx(rate, rel=0.02)
    assert len(frames) == 30
    assert np.diff([f.time_s for f in frames]) == pytest.approx(1 / rate, abs=1.1e-3)
    brightness = [f.image_bgr.mean() for f in frames]
    assert brightness == sorted(brightness)


def test_a_file_that_says_no_or_a_wrong_rate_has_that_of_its_standard(shared):
    with open_source(shared / "cases" / "dv_rate" / "one.dv") as source:
        assert source.fps == 25
        assert source.size_wh == (768, 576) and len(list(source)) == 1
    raw = frames_of(shared / "video" / "size_change.mjpeg")
    assert [frame.time_s for frame in raw] == pytest.approx([k / 25 for k in range(60)])
    with open_source(shared / "video" / "wrong_frame_count.avi") as source:
        assert source.frame_count is None  # implausible


@pytest.mark.parametrize(
    ("name", "count", "size_wh"),
    (
        *(("variable_frame_rate.mp4", 95, (640, 360)), ("size_change.ts", 240, (854, 480))),
        *(("wrong_frame_count.avi", 60, (320, 180)), ("odd_size.mp4", 120, (427, 241))),
        *(("hevc_10bit.mkv", 120, (640, 480)), ("grayscale.avi", 45, (256, 148))),
        ("rotated_90.mp4", 150, (626, 360)),
    ),
)
def test_unusual_files_give_every_frame(said, shared, name, count, size_wh):
    with open_source(shared / "video" / name) as source:
        frames = list(source)
        assert source.size_wh == size_wh
    assert len(frames) == count and said == []
    assert frames[0].time_s == 0.0
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))
    assert all(f.image_bgr.dtype == np.uint8 and f.image_bgr.shape[2] == 3 for f in frames)


def test_a_truncated_file_gives_what_there_is_and_then_says_that_it_broke_off(shared):
    said = r"broke off after 200 frames \(8.4 s of 16.0 s\); the file is incomplete"
    with open_source(shared / "video" / "truncated.mp4") as source:
        assert source.frame_count == 384
        with pytest.raises(SourceError, match=said):
            for count, _ in enumerate(source, 1):
                assert count <= 200


def test_a_file_behind_http_is_a_file_and_not_a_camera(tmp_path):
    write_video(tmp_path / "a.mp4", [0.0, 0.04, 0.08])
    address = "http://127.0.0.1:{}/a.mp4"
    with folder_served(tmp_path) as port, open_source(address.format(port)) as source:
        assert source.kind == "video" and not source.live
        assert len(list(source)) == 3


def test_the_best_track_is_taken_and_the_others_are_said(tmp_path, said):
    path, times_s = tmp_path / "a.mkv", [k / 25 for k in range(10)]
    small = write_video(tmp_path / "small.mkv", [0.0], size_wh=(32, 24), codec="mjpeg")
    with (
        av.open(str(small)) as one,
        av.open(str(write_video(tmp_path / "large.mkv", times_s))) as other,
        av.open(str(path), "w") as output,
    ):
        packets = one.demux(video=0), other.demux(video=0)
        streams = [output.add_stream_from_template(g.streams.video[0]) for g in (one, other)]
        for packet, stream in ((p, s) for ps, s in zip(packets, streams, strict=True) for p in ps):
            packet.stream = stream
            output.mux([packet] if packet.size else [])
    with open_source(path) as source:
        assert source.size_wh == (64, 48) and len(list(source)) == 10
    (sentence,) = said
    assert sentence.endswith("a.mkv: track 1 (h264 64x48) is taken, track 0 (mjpeg 32x24) left out")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_the_part_that_is_asked_for_has_images_and_times_of_the_file(tmp_path, name):
    path = write_video(tmp_path / name, [k / 10 for k in range(30)], options={"g": "8"})
    wanted = [frames_of(path)[number] for number in (10, 13, 16, 19)]
    with open_video(path, excerpt=Excerpt(start_s=1.0, end_s=2.0, step=3)) as source:
        part = list(source)
    assert [f.time_s for f in part] == [f.time_s for f in wanted]
    assert [f.index for f in part] == [0, 1, 2, 3]
    for frame, original in zip(part, wanted, strict=True):
        assert (frame.image_bgr == original.image_bgr).all()
    if name == "a.mp4":
        assert source.frame_count == 4 and source.fps == pytest.approx(10 / 3, rel=0.05)
        assert [f.time_s for f in part] == pytest.approx([1.0, 1.3, 1.6, 1.9], abs=1e-4)


def test_a_part_that_is_not_there_is_one_sentence(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0.0, 0.5])
    with pytest.raises(SourceError, match=r"has no frame from 7 s on; its last is at 0.5 s"):
        open_video(path, excerpt=Excerpt(start_s=7.0))


ORIENTATIONS = {  # a, b, c, d of each matrix, and what ffmpeg does for it
    "upright": ((1, 0, 0, 1), lambda image: image),
    "90": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
    "270": ((0, -1, 1, 0), np.rot90),
    "hflip": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "vflip": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transpose": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
    "transverse": ((0, -1, -1, 0), lambda image: image[::-1, ::-1].swapaxes(0, 1)),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_each_of_the_eight_orientations_comes_as_ffmpeg_shows_it(tmp_path, name):
    abcd, shown = ORIENTATIONS[name]
    image_bgr = cv2.resize(np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8), (64, 48))
    path = write_video(tmp_path / "a.mp4", [0.0], image_bgr=image_bgr)
    expected = shown(frames_of(path)[0].image_bgr)
    data, (a, b, c, d) = bytearray(path.read_bytes()), (65536 * value for value in abcd)
    at = data.index(b"tkhd") + 4 + 40  # the display matrix in the track header
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    (frame,), (turned,) = frames_of(path), frames_of(path, rotate=90)
    np.testing.assert_array_equal(frame.image_bgr, expected)
    np.testing.assert_array_equal(turned.image_bgr, np.rot90(expected, -1))  # clockwise


def test_a_colour_profile_with_a_name_is_no_crash(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 48), (10, 20, 30)).save(path, icc_profile=b"profile" * 20)
    code = (
        "import gc, sys; from livepose.sources import open_video\n"
        "with open_video(sys.argv[1]) as source: print(len(list(source)))\n"
        "del source; gc.collect()"
    )
    printed = subprocess.check_output([sys.executable, "-c", code, str(path)], text=True)
    assert printed.strip() == "1"


@pytest.mark.parametrize(
    ("aspect", "rotate", "size_wh", "scale_xy"),
    [
        (Fraction(4, 3), 0, (85, 48), (85 / 64, 1.0)),
        (Fraction(2, 1), 90, (48, 128), (1.0, 2.0)),
        (Fraction(1, 1000), 0, (64, 48), (1.0, 1.0)),
    ],
)
def test_pixels_of_any_believable_shape_are_squared(tmp_path, aspect, rotate, size_wh, scale_xy):
    path = write_video(tmp_path / "a.mkv", [0.0], aspect=aspect)
    (frame,) = frames_of(path, rotate=rotate)
    assert frame.size_wh == size_wh and frame.scale_xy == pytest.approx(scale_xy)


def test_the_colours_of_hdr_are_those_of_a_screen(shared):
    case = shared / "cases" / "hdr_hlg"
    shown = frames_of(case / "hlg.mov")[0].image_bgr.astype(float)
    assert shown.mean((0, 1)) == pytest.approx((47, 76, 76), abs=4)  # zscale, tonemap=clip


@pytest.mark.parametrize(("curve", "white"), [(HLG, 191), (PQ, 148)])
def test_reference_white_is_bright_black_is_black_and_more_light_is_brighter(curve, white):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shown = to_sdr(ramp, curve)[0, :, 1].astype(int)
    assert shown[0] == 0 and (np.diff(shown) >= 0).all()
    assert 225 < shown[white] < 250 and shown[-1] >= 254


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_frames_are_let_go_with_their_threads_at_once(shared: Path) -> None:
    """Without waiting for the collection of garbage, which comes too late for large images."""
    running = Path("/proc/self/task")
    gc.collect()
    gc.disable()
    try:
        before = len(list(running.iterdir()))
        frames = islice(VideoSource(shared / "video" / "pedestrians.mp4"), 40)
        threads = max(len(list(running.iterdir())) for _ in frames)
    finally:
        gc.enable()
    assert threads - before < 30
