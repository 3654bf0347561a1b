"""Packets to pictures: decodes what can be decoded, and remembers what could not."""

from collections import deque
from collections.abc import Generator, Iterator
from typing import Any

from livepose.sources._av import av


class PacketReader:
    """Decodes one stream of a container.

    Attributes
    ----------
    damaged : int
        Packets that the decoder refused.
    cut_packet : bool
        Whether the last packet was incomplete.
    error : av.FFmpegError or None
        What ended reading before the end of the file.
    closed : bool
        Whether it was closed before the end.
    """

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self.damaged = 0
        self.cut_packet = False
        self.error: Exception | None = None
        self.closed = False
        # AVI knows the order in which frames are decoded, and no time at which they are shown:
        # sorted, the times of the one are those of the other.
        reorders = container.format.name == "avi" and stream.codec_context.has_b_frames
        self._due: deque[int | None] | None = deque() if reorders else None

    def frames(self) -> Generator[Any, None, None]:
        """The pictures (``av.VideoFrame``) in order of presentation."""
        finished = False
        try:
            for packet in self._packets():
                yield from self._decode(packet)
            finished = True
        finally:
            self.closed = not finished

    def _packets(self) -> Iterator[Any]:
        """Packets to decode; None, which empties the decoder, comes last.

        An incomplete last packet is left out: it decodes to nothing, and a decoder with frame
        threads drops the good frames that are still inside when it meets one.
        """
        held: Any = None
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:
                    continue
                if held is not None:
                    yield held
                held = packet if packet.is_corrupt else None
                if held is None:
                    yield packet
        except (av.FFmpegError, OSError) as error:
            self.error = error
        self.cut_packet = held is not None
        yield None

    def _decode(self, packet: Any) -> list[Any]:
        due = self._due
        if due is not None and packet is not None:
            due.append(packet.dts)
        try:
            frames = list(self._stream.codec_context.decode(packet))
        except av.FFmpegError:
            self.damaged += 1
            if due:
                due.pop()
            return []
        for frame in frames if due is not None else ():
            frame.pts = due.popleft() if due else None
        return frames
