"""Files that say how they want to be shown: turned, mirrored, squared, brightened, timed."""

import gc
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from sources.drawn import frames_of, write_video

from livepose.errors import SourceError
from livepose.sources import Excerpt, VideoSource, open_source, open_video, read_image
from livepose.sources.frames import HLG, PQ, Converter, to_sdr

# a, b, c, d of each matrix, and the filters that ffmpeg puts in for it (fftools, FFmpeg 8).
ORIENTATIONS = {
    "upright": ((1, 0, 0, 1), []),
    "90": ((0, 1, -1, 0), [("transpose", "clock")]),
    "180": ((-1, 0, 0, -1), [("hflip", None), ("vflip", None)]),
    "270": ((0, -1, 1, 0), [("transpose", "cclock")]),
    "hflip": ((-1, 0, 0, 1), [("hflip", None)]),
    "vflip": ((1, 0, 0, -1), [("vflip", None)]),
    "transpose": ((0, 1, 1, 0), [("transpose", "cclock_flip")]),
    "transverse": ((0, -1, -1, 0), [("transpose", "clock_flip")]),
}


def with_matrix(path, abcd):
    """Writes another display matrix into the track header of an MP4."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (value * 65536 for value in abcd)
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def as_ffmpeg(frame, filters):
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    for name, argument in [*filters, ("buffersink", None)]:
        node = graph.add(name, argument)
        last.link_to(node)
        last = node
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    return graph.pull().to_ndarray(format="bgr24")


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_each_of_the_eight_orientations_comes_as_ffmpeg_shows_it(tmp_path, name):
    abcd, filters = ORIENTATIONS[name]
    image_bgr = cv2.resize(np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8), (64, 48))
    path = with_matrix(write_video(tmp_path / "a.mp4", [0.0], image_bgr=image_bgr), abcd)
    (frame,) = frames_of(path)
    with av.open(str(path)) as container:
        expected = as_ffmpeg(next(container.decode(video=0)), filters)
    assert frame.image_bgr.shape == expected.shape
    assert np.abs(frame.image_bgr.astype(int) - expected).mean() < 2


def test_a_picture_from_a_front_camera_is_mirrored_and_not_upside_down(shared):
    case = shared / "cases" / "mirrored_matrix"
    mirrored, upright = frames_of(case / "hflip.mp4")[0], frames_of(case / "upright.mp4")[0]
    difference = mirrored.image_bgr.astype(int) - upright.image_bgr[:, ::-1]
    assert np.abs(difference).mean() < 3


def test_b_frames_in_avi_follow_each_other_at_the_rate_of_the_file(shared):
    frames = frames_of(shared / "cases" / "h264_bframes_avi" / "bframes.avi")
    steps_s = np.diff([frame.time_s for frame in frames])
    assert len(frames) == 24 and frames[0].time_s == 0.0
    assert steps_s == pytest.approx(1 / 30, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "form", "codec", "rate"),
    (
        *(("a.avi", "avi", "libx264", 24), ("a.avi", "avi", "mpeg4", 24)),
        *(("a.mxf", "mxf", "libx264", 25), ("a.asf", "asf", "libx264", 25)),
        *(("a.mxf", "mxf", "mpeg2video", 25), ("a.mxf", "mxf", "libx264", 50)),
        *(("a.h264", "h264", "libx264", 12), ("a.h265", "hevc", "libx265", 12)),
        *(("a.m1v", "mpeg1video", "mpeg1video", 25), ("a.m2v", "mpeg2video", "mpeg2video", 50)),
        *(("a.m4v", "m4v", "mpeg4", 12), ("a.ts", "mpegts", "libx264", 24)),
        *(("a.flv", "flv", "libx264", 24), ("a.ivf", "ivf", "libvpx", 12)),
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


def test_a_raw_stream_runs_at_the_rate_in_its_pictures_headers(shared):
    with open_source(shared / "cases" / "raw_h264_rate" / "raw.h264") as source:
        assert source.fps == 30
        assert list(source)[-1].time_s == pytest.approx(23 / 30)


def test_digital_video_has_the_rate_of_its_standard(shared):
    with open_source(shared / "cases" / "dv_rate" / "one.dv") as source:
        assert source.fps == 25
        assert source.size_wh == (768, 576) and len(list(source)) == 1


def test_anamorphic_pixels_are_squared_and_the_scale_is_known(shared):
    case = shared / "cases" / "anamorphic"
    with open_source(case / "anamorphic.mp4") as source:
        (wide, *_) = source
        assert source.size_wh == (424, 240) and source.scale_xy == (2.0, 1.0)
    square = frames_of(case / "square.mp4")[0]
    small = [
        cv2.resize(f.image_bgr, (71, 40), interpolation=cv2.INTER_AREA) for f in (wide, square)
    ]
    assert np.abs(small[0].astype(int) - small[1]).mean() < 4


@pytest.mark.parametrize(
    ("aspect", "rotate", "size_wh", "scale_xy"),
    [
        (Fraction(4, 3), 0, (85, 48), (85 / 64, 1.0)),
        (Fraction(1, 2), 0, (64, 96), (1.0, 2.0)),
        (Fraction(2, 1), 90, (48, 128), (1.0, 2.0)),
        (Fraction(100, 101), 0, (64, 48), (1.0, 1.0)),
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
    usual = frames_of(case / "sdr.mp4")[0].image_bgr.astype(float)
    with av.open(str(case / "hlg.mov")) as container:
        grey = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(float)

    def colourfulness(image):
        return (image.max(axis=2) - image.min(axis=2)).mean()

    assert shown.mean((0, 1)) == pytest.approx((47, 76, 76), abs=4)  # zscale, tonemap=clip
    assert abs(colourfulness(shown) - colourfulness(usual)) < abs(
        colourfulness(grey) - colourfulness(usual)
    )


@pytest.mark.parametrize(("curve", "white"), [(HLG, round(0.75 * 255)), (PQ, round(0.58 * 255))])
def test_reference_white_is_bright_black_is_black_and_more_light_is_brighter(curve, white):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shown = to_sdr(ramp, curve)[0, :, 1].astype(int)
    assert shown[0] == 0 and (np.diff(shown) >= 0).all()
    assert 225 < shown[white] < 250 and shown[-1] >= 254


def test_a_hdr_frame_is_recognised_by_its_curve(tmp_path):
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 120, np.uint8), format="bgr24")
    with av.open(str(write_video(tmp_path / "a.mp4", [0.0]))) as container:
        to_bgr = Converter(container.streams.video[0])
    plain, _ = to_bgr(frame)
    frame.color_trc = PQ
    toned, _ = to_bgr(frame)
    assert plain.mean() == 120 and abs(toned.mean() - 120) > 10


def two_tracks(path, default):
    """A small track with one picture, then a larger one that moves; the default one is marked."""
    with av.open(str(path), "w") as output:
        small = output.add_stream("mjpeg", rate=25)
        small.width, small.height, small.pix_fmt = 32, 24, "yuvj420p"
        large = output.add_stream("libx264", rate=25, options={"bf": "0"})
        large.width, large.height, large.pix_fmt = 64, 48, "yuv420p"
        for stream in (small, large):
            stream.disposition = (
                av.stream.Disposition.default if stream is default(small, large) else 0
            )
        for number in range(10):
            for stream in (small, large)[number > 0 :]:
                drawn = np.full((stream.height, stream.width, 3), 90, np.uint8)
                frame = av.VideoFrame.from_ndarray(drawn, format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
        for stream in (small, large):
            output.mux(stream.encode(None))
    return path


def test_the_best_track_is_taken_and_the_others_are_said(tmp_path, said):
    path = two_tracks(tmp_path / "a.mkv", lambda small, large: large)
    with open_source(path) as source:
        assert source.size_wh == (64, 48) and len(list(source)) == 10
    (sentence,) = said
    assert sentence.endswith("a.mkv: track 1 (h264 64x48) is taken, track 0 (mjpeg 32x24) left out")


def test_the_part_that_is_asked_for_has_the_times_of_the_file(tmp_path):
    path = write_video(tmp_path / "a.mp4", [k / 10 for k in range(30)], options={"g": "8"})
    whole = frames_of(path)
    with open_video(path, excerpt=Excerpt(start_s=1.0, end_s=2.0, step=3)) as source:
        part = list(source)
        assert source.frame_count == 4 and source.fps == pytest.approx(10 / 3, rel=0.05)
    assert [f.time_s for f in part] == pytest.approx([1.0, 1.3, 1.6, 1.9], abs=1e-4)
    assert [f.index for f in part] == [0, 1, 2, 3]
    for frame, number in zip(part, (10, 13, 16, 19), strict=True):
        assert (frame.image_bgr == whole[number].image_bgr).all()


@pytest.mark.parametrize("suffix", (".mkv", ".avi", ".ts"))
def test_a_part_of_any_container_is_the_same(tmp_path, suffix):
    codec = "mjpeg" if suffix == ".avi" else "libx264"
    form = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    times_s = [k / 25 for k in range(60)]
    path = write_video(tmp_path / f"a{suffix}", times_s, codec=codec, pixel_format=form)
    part = frames_of(path, excerpt=Excerpt(start_s=1.0, end_s=1.2))
    assert [f.time_s for f in part] == pytest.approx([1.0, 1.04, 1.08, 1.12, 1.16], abs=2e-3)


def test_a_start_behind_the_end_is_one_sentence(tmp_path):
    path = write_video(tmp_path / "a.mp4", [0.0, 0.5])
    with pytest.raises(SourceError, match=r"has no frame from 7 s on; its last is at 0.5 s"):
        open_video(path, excerpt=Excerpt(start_s=7.0))


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
def test_frames_are_let_go_with_their_threads_at_once(shared: Path) -> None:
    """Without waiting for the collection of garbage, which comes too late for large pictures."""
    gc.collect()
    gc.disable()
    try:
        before = threads = len(list(Path("/proc/self/task").iterdir()))
        for frame in VideoSource(shared / "video" / "pedestrians.mp4"):
            threads = max(threads, len(list(Path("/proc/self/task").iterdir())))
            if frame.index == 40:
                break
    finally:
        gc.enable()
    assert threads - before < 30


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_frame_with_exif_is_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24] = 200  # stored with its upper half bright
    path = tmp_path / "a.jpg"
    Image.fromarray(stored).save(path, exif=exif)
    with open_video(path) as source:
        (frame,) = source
    np.testing.assert_allclose(frame.image_bgr.astype(int), read_image(path), atol=12)


def test_a_colour_profile_with_a_name_is_no_crash(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 48), (10, 20, 30)).save(path, icc_profile=b"profile" * 20)
    code = (
        "import gc, sys; from livepose.sources import open_video\n"
        "with open_video(sys.argv[1]) as source: print(len(list(source)))\n"
        "del source; gc.collect()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "1")
