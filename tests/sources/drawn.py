"""Videos that tests draw."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from livepose.frame import Frame
from livepose.sources import open_source


def frames_of(path: Path, **options) -> list[Frame]:
    """All frames of whatever that is."""
    with open_source(path, **options) as source:
        return list(source)


def write_video(
    path: Path,
    times_s,
    *,
    size_wh=(64, 48),
    codec="libx264",
    image_bgr=None,
    sound: str | None = None,
    sound_from_s: float = 0.0,
    sound_to_s: float | None = None,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """A clip of these times: gray (50 + 10 per frame, then again), or an image; a sine as sound."""
    with av.open(str(path), "w") as output:
        ticks = 25 if codec == "mjpeg" else 90_000
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = size_wh
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.time_base = stream.time_base = Fraction(1, ticks)
        track = output.add_stream(sound, rate=48_000) if sound else None
        for number, time_s in enumerate(times_s):
            drawn = np.full((size_wh[1], size_wh[0], 3), 50 + 10 * (number % 20), np.uint8)
            drawn = drawn if image_bgr is None else image_bgr
            frame = av.VideoFrame.from_ndarray(drawn, format="bgr24")
            frame.pts, frame.time_base = round(time_s * ticks), Fraction(1, ticks)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if track is not None:
            _write_sine(output, track, sound_from_s, sound_to_s or times_s[-1])
    return path


def _write_sine(output, track, from_s: float, to_s: float) -> None:
    rate, count, form = 48_000, 1024, track.codec_context.format.name
    for begin in range(round(from_s * rate), round(to_s * rate), count):
        phase = np.arange(begin, begin + count) * 2 * np.pi * 440 / rate
        samples = (0.2 * np.sin(phase)).astype(np.float32)[None]
        if form.startswith("s16"):
            samples = (samples * 32767).astype(np.int16)
        form = "fltp" if "flt" in form else form
        frame = av.AudioFrame.from_ndarray(samples, format=form, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        output.mux(track.encode(frame))
    output.mux(track.encode(None))
