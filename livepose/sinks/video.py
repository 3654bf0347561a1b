"""Recordings: H.264 in yuv420p, with exact times, and safe against a kill.

The input's sound keeps its distance to the image: packets are copied bit for bit where the
container can hold them, and otherwise made into AAC.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from livepose.errors import SinkError, UsageError
from livepose.files import OutputFile
from livepose.frame import Frame, ImageBgr
from livepose.poses import Poses
from livepose.sinks.sink import Sink, check_file, sink_error, video_format
from livepose.sources.frames import av
from livepose.sources.video import matroska_end_s, start_of

_TICKS_PER_S = 90_000
_KEY_FRAME_EVERY_S = 1.0
"""A killed run loses what came after the last key frame."""
_PLAIN_RATE_HZ = 30
_BT709 = 1
_ENCODER = {
    "preset": "veryfast",
    "crf": "22",
    # Without B-frames the first time in the file is the first time of the image.
    "bf": "0",
    "forced-idr": "1",
    # mbtree reads memory that it never wrote: the same images would give other files.
    "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709:mbtree=0",
}

_COPIED: dict[str, frozenset[str]] = {
    "mp4": frozenset(("aac", "mp3")),
    "mov": frozenset(("aac", "mp3", "alac", "pcm_s16le")),
    "matroska": frozenset(
        ("aac", "mp3", "opus", "vorbis", "flac", "ac3", "pcm_s16le", "pcm_s24le", "pcm_f32le")
    ),
}
"""For each container the codecs that browsers or players expect in it."""
_HIGHEST_AAC_HZ, _RESAMPLED_HZ = 96_000, 48_000
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


class VideoSink(Sink):
    """Writes the drawn images as a video that browsers play.

    Times are those of the frames, in ticks of 1/90000 s; one that does not go forward is moved
    to the tick after the one before. The size is that of the first image, with an odd side
    made even by repeating its edge; later images of another size are scaled into it.

    MP4 is written in fragments of about a second, so that a run that is killed leaves them
    playable; when it ends well the file becomes a plain MP4. Without a frame there is no file.

    ``path`` ends in .mp4, .m4v, .mov or .mkv. ``audio_from`` is a file, or its address, whose sound
    is carried over; what goes on after the image is kept when that was written to its end. ``fps``
    is a hint for the encoder. With ``from_first_frame`` the first frame's time becomes 0, as for a
    recording that starts in the middle.
    """

    needs_drawing = True

    def __init__(
        self,
        path: str | Path,
        audio_from: Path | str | None = None,
        fps: float | None = None,
        *,
        from_first_frame: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        self._format = video_format(self._path)
        if audio_from is not None and self._path.resolve() == Path(audio_from).resolve():
            raise UsageError(f"{path} is the input itself; write to another file")
        check_file(self._path, overwrite=overwrite)
        self._frame_s = 1.0 / (fps or _PLAIN_RATE_HZ)
        self._sound = _Sound(str(audio_from)) if audio_from is not None else None
        self._from_first, self._origin_s = from_first_frame, 0.0
        self._file: OutputFile | None = None
        self._output: Any = None
        self._stream: Any = None
        self._last_tick, self._next_key_tick = -1, 0
        self._done = False

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Adds one image, and the sound up to it."""
        if self._done:
            raise SinkError(f"{self._path} is closed already")
        image_bgr = frame.image_bgr if drawn_bgr is None else drawn_bgr
        with self._writing():
            if self._output is None:
                self._begin(frame.time_s, image_bgr)
            self._add(image_bgr, frame.time_s - self._origin_s)

    def close(self) -> None:
        """Finishes the file; a second call does nothing."""
        if not self._done:
            with self._writing():
                if self._output is not None:
                    self._finish()
            self._let_go()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            self._let_go()
            # The muxer wraps what the file said.
            failure = self._file.failure if self._file is not None else None
            raise sink_error(self._path, failure or error) from error

    def _begin(self, first_s: float, image_bgr: ImageBgr) -> None:
        if self._from_first:
            self._origin_s = first_s
        self._size_wh = even((image_bgr.shape[1], image_bgr.shape[0]))
        if "libx264" not in av.codecs_available:
            raise OSError(errno.ENOSYS, "PyAV was built without H.264 (libx264); reinstall av")
        # Sound may end before the image; the muxer must not wait for more of it for long.
        options = {"max_interleave_delta": "4000000", "flush_packets": "1"}
        if self._format in ("mp4", "mov"):
            # From FFmpeg 8 on: fragments while it is written, a plain file in the end.
            plain_end = av.library_versions["libavformat"] >= (62, 0, 0)
            flags = "frag_keyframe+delay_moov+default_base_moof"
            options["movflags"] = flags + ("+hybrid_fragmented" if plain_end else "")
        self._file = OutputFile(self._path, "w")
        self._output = av.open(self._file, "w", format=self._format, options=options)
        rate = max(Fraction(1.0 / self._frame_s).limit_denominator(1001), Fraction(1))
        stream = self._output.add_stream("libx264", rate=rate, options=dict(_ENCODER))
        stream.width, stream.height = self._size_wh
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._stream = stream
        if self._sound is not None:
            self._sound.attach(self._output, self._origin_s)

    def _add(self, image_bgr: ImageBgr, time_s: float) -> None:
        tick = max(round(time_s * _TICKS_PER_S), self._last_tick + 1)
        image: Any = av.VideoFrame.from_ndarray(fit(image_bgr, self._size_wh), format="bgr24")
        # BT.709, as players assume it.
        image = image.reformat(format="yuv420p", dst_colorspace=_BT709)
        image.pts, image.time_base = tick, Fraction(1, _TICKS_PER_S)
        if tick >= self._next_key_tick:
            image.pict_type = av.video.frame.PictureType.I
            self._next_key_tick = tick + round(_KEY_FRAME_EVERY_S * _TICKS_PER_S)
        self._last_tick = tick
        self._output.mux(self._stream.encode(image))
        if self._sound is not None:
            self._output.mux(self._sound.until(time_s))

    def _finish(self) -> None:
        self._output.mux(self._stream.encode(None))
        if self._sound is not None:
            written_s = self._last_tick / _TICKS_PER_S + self._frame_s
            end_s = self._sound.video_end_s()
            # The last frame may have been on screen for longer than the others.
            whole = end_s is None or written_s > end_s - 0.5
            self._output.mux(self._sound.until(None if whole else written_s))
        output, self._output = self._output, None
        output.close()

    def _let_go(self) -> None:
        """Closes the files; after an error what was written stays."""
        self._done = True
        with suppress(av.FFmpegError, OSError):  # the first error was reported
            if self._output is not None:
                self._output.close()
        for one in (self._sound, self._file):
            if one is not None:
                one.close()


def even(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size rounded up to even sides, which H.264 with yuv420p needs."""
    return size_wh[0] + size_wh[0] % 2, size_wh[1] + size_wh[1] % 2


def fit(image_bgr: ImageBgr, size_wh: tuple[int, int]) -> ImageBgr:
    """The image in ``size_wh``: as it is, with its edge repeated by a pixel, or scaled.

    Scaling keeps the shape and fills the rest with black.
    """
    height, width = image_bgr.shape[:2]
    if (width, height) == size_wh:
        return np.ascontiguousarray(image_bgr)
    if even((width, height)) == size_wh:
        missing = (0, size_wh[1] - height, 0, size_wh[0] - width)
        return np.asarray(cv2.copyMakeBorder(image_bgr, *missing, cv2.BORDER_REPLICATE))
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image_bgr, (inner_w, inner_h), interpolation=method)
    rest_w, rest_h = size_wh[0] - inner_w, size_wh[1] - inner_h
    edges = (rest_h // 2, rest_h - rest_h // 2, rest_w // 2, rest_w - rest_w // 2)
    return np.asarray(cv2.copyMakeBorder(scaled, *edges, cv2.BORDER_CONSTANT))


class _Sound:
    """The first sound track of a file, if there is one."""

    def __init__(self, path: str) -> None:
        try:
            self._input: Any = av.open(path, metadata_errors="replace")
        except (av.FFmpegError, OSError) as error:
            raise SinkError(f"cannot read the sound of {path}: {error.strerror}") from None
        self._track = next(iter(self._input.streams.audio), None)
        # The zero of the file's times, as ``VideoSource`` has it.
        streams = (*self._input.streams.video, *self._input.streams.audio)
        self._start, self._skipped_s = start_of(*streams) or Fraction(0), 0.0
        self._waiting: Iterator[Any] = iter(())
        self._next: Any = None

    def attach(self, output: Any, from_s: float) -> None:
        """Adds the sound stream to the output; ``from_s`` of the file's time becomes 0 there."""
        self._start, self._skipped_s = self._start + Fraction(from_s), from_s
        if self._track is None:
            return
        context, form = self._track.codec_context, output.format.name
        # AAC without a description of itself (from a transport stream) cannot be copied.
        described = context.name != "aac" or context.extradata is not None
        if described and context.name in _COPIED.get(form, ()):
            stream = output.add_stream_from_template(self._track)
            self._waiting = self._copied(stream, drop_before_zero=form == "matroska")
            return
        rate = context.sample_rate if context.sample_rate <= _HIGHEST_AAC_HZ else _RESAMPLED_HZ
        stream, layout = output.add_stream("aac", rate=rate), str(context.layout.name)
        if "channel" in layout:  # it has no name: by the number of loudspeakers
            layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
        stream.codec_context.layout = layout
        self._waiting = self._encoded(stream)

    def until(self, time_s: float | None) -> Iterator[Any]:
        """The packets that start up to this time and were not handed out; None: all."""
        while True:
            packet = self._next = self._next or next(self._waiting, None)
            if packet is None or (time_s is not None and _start_s(packet) > time_s):
                return
            self._next = None
            yield packet

    def video_end_s(self) -> float | None:
        """When the image of the same file ends, as far as its header says."""
        for stream in self._input.streams.video:
            if stream.duration is not None and stream.start_time is not None:
                end = (stream.start_time + stream.duration) * stream.time_base - self._start
                return float(end)
            if (end_s := matroska_end_s(stream)) is not None:
                return end_s - float(self._start)
        return float(self._input.duration) / 1e6 - self._skipped_s if self._input.duration else None

    def close(self) -> None:
        """Closes the input."""
        self._input.close()

    def _packets(self) -> Iterator[Any]:
        # The image's reader meets the same damage and tells of it.
        with suppress(av.FFmpegError, OSError):
            yield from (packet for packet in self._input.demux(self._track) if packet.size > 0)

    def _copied(self, stream: Any, drop_before_zero: bool) -> Iterator[Any]:
        """The packets as they are.

        A decoder starts with a packet that sounds before 0 and is not heard. Matroska has no
        times before 0, and would have the whole file start later for its sake.
        """
        for packet in self._packets():
            if packet.dts is None or packet.is_corrupt:
                continue
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.pts >= 0 or not (drop_before_zero or self._skipped_s):
                packet.stream = stream
                yield packet

    def _encoded(self, stream: Any) -> Iterator[Any]:
        rate, layout = stream.codec_context.sample_rate, stream.codec_context.layout
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        for frame in self._heard():
            for part in resampler.resample(frame):
                yield from stream.encode(part)
        yield from stream.encode(None)

    def _heard(self) -> Iterator[Any]:
        """The sound itself, and None at its end."""
        for packet in self._packets():
            frames: list[Any] = []
            with suppress(av.FFmpegError):  # a damaged packet is silence
                frames = packet.decode()
            for frame in frames:
                if frame.pts is not None:
                    frame.pts -= round(self._start / frame.time_base)
                if frame.pts is None or frame.pts >= 0 or not self._skipped_s:
                    yield frame
        yield None


def _start_s(packet: Any) -> float:
    when = packet.pts if packet.pts is not None else packet.dts
    return float(when * packet.time_base) if when is not None else 0.0
