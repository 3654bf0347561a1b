"""The keypoint bus on a web socket: every client gets the newest frame when it is ready for it."""

import asyncio
import http
from collections.abc import Mapping
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.frame import Frame, ImageBgr
from livepose.live.endpoint import Endpoint, respond
from livepose.live.newest import Newest
from livepose.poses import Poses
from livepose.results.angles import each_of
from livepose.sinks.jsonl import Detail, age_ms, frame_json, json_line
from livepose.sinks.protocol import Closing

_PATIENCE_S = 20.0
"""A client that has taken nothing for so long is let go."""


class SocketBus(Closing):
    """Sends the header to each client, and then frames.

    The next frame goes out once the client has answered a ping that follows the one before, so
    that what waits between here and a slow client is one frame, and not a buffer full of them.

    Raises
    ------
    UsageError
        When the port is taken.
    """

    needs_drawing = False
    live = True

    def __init__(
        self, host: str, port: int, header: Mapping[str, Any], detail: Detail = "plain"
    ) -> None:
        self._opening = json_line({"livepose": dict(header)})
        self._detail: Detail = detail
        self._each = each_of(header)
        self._newest: Newest[tuple[Frame, Poses, int]] = Newest()
        self._seq = 0
        self._packed = (-1, "")
        self.endpoint = Endpoint(host, port, _answer, self._talk, own_pages_only=False)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one frame."""
        if self.endpoint.clients:
            self.endpoint.call(self._newest.put, (frame, poses, self._seq))
        self._seq += 1

    def close(self) -> None:
        """Lets every client go; a second call does nothing."""
        self.endpoint.close()

    async def _talk(self, connection: ServerConnection) -> None:
        await connection.send(self._opening)
        number = self._newest.number
        while True:
            number, item = await self._newest.after(number)
            await connection.send(self._text(*item))
            async with asyncio.timeout(_PATIENCE_S):
                await (await connection.ping())

    def _text(self, frame: Frame, poses: Poses, seq: int) -> str:
        """The frame, packed once for all clients."""
        if self._packed[0] != seq:
            each = None if self._each is None else self._each(poses)
            text = frame_json(frame, poses, self._detail, each, seq=seq, age_ms=age_ms(frame))
            self._packed = (seq, text)
        return self._packed[1]


def _answer(request: Request) -> Response | None:
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    text = b"poses are sent here by web socket (ws://)\n"
    return respond(http.HTTPStatus.UPGRADE_REQUIRED, "text/plain", text)
