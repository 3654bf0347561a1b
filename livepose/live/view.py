"""The browser view: the live image with its skeletons, for whoever has the address.

A page asks for each frame, and gets the newest one as one message: image and poses are never
apart, and a slow page sees fewer frames, not older ones. Its own camera may be the source.
"""

import asyncio
import hmac
import http
import json
import secrets
import ssl
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.frame import Frame, ImageBgr
from livepose.live.addresses import require_private
from livepose.live.endpoint import Endpoint, one_header, respond
from livepose.live.health import Health
from livepose.sinks.sink import Sink
from livepose.skeletons import COCO17, Skeleton
from livepose.sources.source import Source
from livepose.threads import Latest

if TYPE_CHECKING:
    from livepose.poses import Poses

About = Mapping[str, Any]
_LONGEST_SIDE_PX = 1280
"""A larger image is made smaller for the page; the poses stay exact."""
_JPEG_QUALITY = 80
_LINES_EVERY_S = 0.1
_TOKEN_BYTES = 18
_USUAL_WH = (640, 480)
"""What the page asks of its camera; true until the first image says otherwise."""
_LARGEST_TAKEN_PX = 4096
_TAG_BYTES = 4
_TAGS_KEPT = 64


class BrowserSource(Source):
    """The newest image that a page sent; it waits for as long as none comes.

    One page sends at a time: whoever begins first, until it has sent nothing for two seconds.
    ``refused`` counts the images that were not taken, by reason.
    """

    name = "browser"
    kind = "camera"
    live = True
    SILENT_AFTER_S = 2.0

    def __init__(self) -> None:
        self.size_wh = _USUAL_WH
        self.refused: Counter[str] = Counter()
        self._latest: Latest[tuple[int, bytes, float]] = Latest()
        self._sending = threading.Lock()
        self._sender, self._sent_s = 0, -np.inf
        self._tags: deque[tuple[int, int, int]] = deque(maxlen=_TAGS_KEPT)

    def take(self, sender: int, message: bytes) -> None:
        """Takes a page's message: four bytes of a number, and a JPEG. Wrong ones are counted."""
        now_s = time.perf_counter()
        size_wh = jpeg_size_wh(message[_TAG_BYTES:])
        if size_wh is None or max(size_wh) > _LARGEST_TAKEN_PX:
            self.refused["image"] += 1
            return
        with self._sending:
            if sender != self._sender and now_s - self._sent_s < self.SILENT_AFTER_S:
                self.refused["second camera"] += 1
                return
            self._sender, self._sent_s = sender, now_s
            self._latest.put((sender, message, now_s))

    def tag(self, sender: int, index: int) -> int | None:
        """The number that this sender gave to the image of frame ``index``."""
        return next((t for s, t, i in reversed(self._tags) if s == sender and i == index), None)

    def __iter__(self) -> Iterator[Frame]:
        index, dropped, first_s = 0, 0, None
        while (taken := self._latest.take()) is not None:
            (sender, message, captured_s), since = taken
            dropped += since
            image: Any = None
            with suppress(cv2.error):
                data = np.frombuffer(message, np.uint8, offset=_TAG_BYTES)
                image = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if image is None:
                self.refused["image"] += 1
                continue
            first_s = captured_s if first_s is None else first_s
            frame = Frame(np.asarray(image), captured_s - first_s, index, captured_s, dropped)
            self.size_wh = frame.size_wh
            self._tags.append((sender, int.from_bytes(message[:_TAG_BYTES], "big"), index))
            yield frame
            index, dropped = index + 1, 0

    def close(self) -> None:
        """Lets nobody wait any longer; a second call does nothing."""
        self._latest.close()


def jpeg_size_wh(data: bytes) -> tuple[int, int] | None:
    """Width and height as a JPEG's header says them, before any memory is asked for.

    Source: ITU-T T.81, annex B.
    """
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        marker, length, height, width = struct.unpack_from(">BHxHH", data, at + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return (width, height) if width and height else None
        at += 2 + length
    return None


class BrowserView(Sink):
    """Serves the page and its frames; ``address`` is what to open, with the token.

    A message has the length of the JSON (four bytes), the JSON, and the image. The page shows
    the figures of ``health``, and keypoints from ``score_threshold`` on; it may be turned like a
    ``mirror``, and its own ``camera`` be the source. With ``skeleton_only`` no image leaves this
    program. UsageError when the address cannot be listened on, or, as it is not loopback and there
    is no ``tls``, others could listen in.
    """

    live = True

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        health: Health | None = None,
        camera: BrowserSource | None = None,
        skeleton_only: bool = False,
        mirror: bool = False,
        score_threshold: float = 0.2,
    ) -> None:
        require_private(host, tls is not None)
        self.health, self._camera, self._skeleton_only = health, camera, skeleton_only
        self._about: About = {
            "limbs": COCO17.limbs,
            "keypoints": COCO17.keypoints,
            "mirror": mirror,
            "score_threshold": score_threshold,
            "camera": camera is not None,
        }
        self._line_due_s = 0.0
        self._packed = (-1, b"")
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        self.endpoint = Endpoint(host, port, self._answer, self._talk, tls=tls)
        self._cookie = f"livepose_{self.endpoint.port}"
        self._secure = "; Secure" if tls else ""
        self.address = f"{self.endpoint.origin}/?token={self._token}"

    def show(self, image_bgr: ImageBgr, line: str) -> None:
        """Hands over an image that nobody has looked at yet, and the line that says why."""
        now_s = time.perf_counter()
        if self.endpoint.clients and now_s >= self._line_due_s:
            self._line_due_s = now_s + _LINES_EVERY_S
            self.endpoint.put((Frame(image_bgr, 0.0, 0), line))

    def begin(self, skeleton: Skeleton, health: Health) -> None:
        """Frames are going to come: whose limbs the page draws, and whose figures it shows."""
        self.health = health
        self._about = {**self._about, "limbs": skeleton.limbs, "keypoints": skeleton.keypoints}
        self.endpoint.put(None)

    def write(self, frame: Frame, poses: "Poses", drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one frame; it is packed once a page asks for it."""
        if self.endpoint.clients:
            self.endpoint.put((frame, poses))

    def close(self) -> None:
        """Ends every page's connection; a second call does nothing."""
        self.endpoint.close()

    def _answer(self, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        if parts.path == "/":
            token = parse_qs(parts.query).get("token", [""])[0]
            if self._is_token(token) or self._has_cookie(request):
                return self._page()
            return self.endpoint.refuse("token", "open the address that livepose printed")
        if parts.path != "/frames":
            return respond(http.HTTPStatus.NOT_FOUND, "text/plain", b"there is one page here: /\n")
        if one_header(request, "Origin") is None:
            return self.endpoint.refuse("origin", "expected a browser; programs take --send")
        if not self._has_cookie(request):
            return self.endpoint.refuse("token", "open the address that livepose printed")
        return None

    def _has_cookie(self, request: Request) -> bool:
        try:
            jar = SimpleCookie(one_header(request, "Cookie") or "")
        except CookieError:
            return False
        return self._cookie in jar and self._is_token(jar[self._cookie].value)

    def _is_token(self, said: str) -> bool:
        return hmac.compare_digest(said.encode(errors="replace"), self._token.encode())

    def _page(self) -> Response:
        nonce = secrets.token_urlsafe(16)
        page = files("livepose.live").joinpath("page.html").read_text("utf-8")
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/{self._secure}"
        extra = {"Content-Security-Policy": policy, "Set-Cookie": cookie}
        body = page.replace("NONCE", nonce).encode()
        return respond(http.HTTPStatus.OK, "text/html; charset=utf-8", body, extra)

    async def _talk(self, connection: ServerConnection) -> None:
        """Answers each request for a frame; takes images of the page's camera."""
        asked = asyncio.Event()
        sending = asyncio.create_task(self._send_frames(connection, asked))
        try:
            async for message in connection:
                if isinstance(message, str):
                    asked.set()
                elif self._camera is not None:
                    self._camera.take(id(connection), message)
        finally:
            sending.cancel()

    async def _send_frames(self, connection: ServerConnection, asked: asyncio.Event) -> None:
        number, about = self.endpoint.number, None
        shown: tuple[Frame, Poses | str] | None = None
        while True:
            if about is not self._about:
                about = self._about
                await connection.send(json.dumps(about))
            if shown is not None:
                await connection.send(self._message(number, *shown, id(connection)))
            await asked.wait()
            asked.clear()
            number, shown = await self.endpoint.after(number)

    def _message(self, number: int, frame: Frame, said: "Poses | str", sender: int) -> bytes:
        """No image for the page that sent it; for the others it is packed once."""
        tag = self._camera.tag(sender, frame.index) if self._camera else None
        if tag is None and self._packed[0] == number:
            return self._packed[1]
        if isinstance(said, str):
            text = json.dumps({"line": said, "size_wh": frame.size_wh})
        else:
            figures = self.health.figures() if self.health is not None else {}
            text = _frame_text(frame, said, figures, **({} if tag is None else {"tag": tag}))
        hidden = self._skeleton_only or tag is not None
        data = text.encode(errors="backslashreplace")
        data = len(data).to_bytes(4, "big") + data + (b"" if hidden else _jpeg(frame.image_bgr))
        if tag is None:
            self._packed = (number, data)
        return data


def _frame_text(frame: Frame, poses: "Poses", figures: Mapping[str, Any], **more: object) -> str:
    """The people, their colours and the figures as JSON."""
    # The view is there before the poses are, and so are its imports.
    from livepose.drawing import track_colours_bgr
    from livepose.sinks.jsonl import age_ms, frame_json

    colours = {
        number: [[round(value) for value in row[::-1]] for row in track_colours_bgr(number)]
        for number in map(int, np.maximum(poses.track_ids, 1))
    }
    more |= {"size_wh": frame.size_wh, "figures": figures, "colours": colours}
    # The page knows this image alone, whatever shape the source's own pixels have.
    shown = replace(frame, scale_xy=(1.0, 1.0))
    return frame_json(shown, poses, "plain", None, age_ms=age_ms(frame), **more)


def _jpeg(image_bgr: ImageBgr) -> bytes:
    """The image, made smaller where it is large."""
    height, width = image_bgr.shape[:2]
    scale = _LONGEST_SIDE_PX / max(height, width)
    if scale < 1:
        size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        image_bgr = np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA))
    good, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes() if good else b""
