"""The sound of a video, carried into another one with its distance to the picture kept.

Packets are copied bit for bit where the container can hold them, and otherwise made into AAC.
"""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

from livepose.errors import SinkError
from livepose.sources.frames import av
from livepose.sources.video import start_of

_COPIED: dict[str, frozenset[str]] = {
    "mp4": frozenset(("aac", "mp3")),
    "mov": frozenset(("aac", "mp3", "alac", "pcm_s16le")),
    "matroska": frozenset(
        ("aac", "mp3", "opus", "vorbis", "flac", "ac3", "pcm_s16le", "pcm_s24le", "pcm_f32le")
    ),
}
"""For each container the codecs that browsers or players expect in it."""
_HIGHEST_AAC_HZ, _RESAMPLED_HZ = 96_000, 48_000


class Sound:
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

    def attach(self, output: Any, from_s: float = 0.0) -> None:
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
        stream = output.add_stream("aac", rate=rate)
        stream.codec_context.layout = _layout(context.layout)
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
        """When the picture of the same file ends, as far as its header says."""
        for stream in self._input.streams.video:
            if stream.duration is not None and stream.start_time is not None:
                end = (stream.start_time + stream.duration) * stream.time_base - self._start
                return float(end)
        return float(self._input.duration) / 1e6 - self._skipped_s if self._input.duration else None

    def close(self) -> None:
        """Closes the input."""
        self._input.close()

    def _packets(self) -> Iterator[Any]:
        # The picture's reader meets the same damage and tells of it.
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


def _layout(layout: Any) -> str:
    """The name of a layout of loudspeakers, by the number of channels where it has none."""
    usual = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
    named = "channel" not in layout.name
    return str(layout.name) if named else usual.get(layout.nb_channels, "stereo")


def _start_s(packet: Any) -> float:
    when = packet.pts if packet.pts is not None else packet.dts
    return float(when * packet.time_base) if when is not None else 0.0
