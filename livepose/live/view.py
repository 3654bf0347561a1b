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
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.errors import SourceError, UsageError
from livepose.frame import Frame, ImageBgr
from livepose.live.addresses import is_loopback
from livepose.live.endpoint import Endpoint, one_header, respond
from livepose.live.health import Health
from livepose.poses import Poses
from livepose.sinks.jsonl import age_ms, frame_json
from livepose.sinks.sink import Sink
from livepose.skeletons import COCO17, Skeleton
from livepose.sources.images import decode_image
from livepose.sources.source import Source
from livepose.threads import Latest

_LONGEST_SIDE_PX = 1280
"""A larger image is made smaller for the page; the poses stay exact."""
_JPEG_QUALITY = 80
_USUAL_WH = (640, 480)
"""What the page asks of its camera; true until the first image says otherwise."""


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
        self.size_wh, self.refused = _USUAL_WH, Counter[str]()
        self._latest: Latest[tuple[int, bytes, float]] = Latest()
        self._sender, self._sent_s = 0, -np.inf
        self._tags: deque[tuple[int, int, int]] = deque(maxlen=64)

    def take(self, sender: int, message: bytes) -> None:
        """Takes a page's message: four bytes of a number, and a JPEG."""
        now_s = time.perf_counter()
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
            try:
                image_bgr = decode_image(message[4:], "an image of a page")
            except SourceError:
                self.refused["image"] += 1
                continue
            first_s = captured_s if first_s is None else first_s
            frame = Frame(image_bgr, captured_s - first_s, index, captured_s, dropped)
            self.size_wh = frame.size_wh
            self._tags.append((sender, int.from_bytes(message[:4], "big"), index))
            yield frame
            index, dropped = index + 1, 0

    def close(self) -> None:
        """Lets nobody wait any longer; a second call does nothing."""
        self._latest.close()


class BrowserView(Sink):
    """Serves the page and its frames; ``address`` is what to open, with the token.

    A message has the length of the JSON (four bytes), the JSON, and the image. The page shows
    keypoints from ``score_threshold`` on; it may be turned like a ``mirror``, and its own
    ``camera`` be the source. With ``skeleton_only`` no image leaves this program. UsageError when
    the address cannot be listened on, or others could listen in, as it is not loopback and there
    is no ``tls``.
    """

    live = True

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        camera: BrowserSource | None = None,
        skeleton_only: bool = False,
        mirror: bool = False,
        score_threshold: float = 0.2,
    ) -> None:
        if tls is None and not is_loopback(host):
            raise UsageError(
                f"--serve {host}: others in the network could read along, and without https a "
                "phone gives no page its camera; add --serve-self-signed or --serve-cert FILE"
            )
        self._camera, self._skeleton_only = camera, skeleton_only
        self._health: Health | None = None
        self._about: dict[str, Any] = {
            "limbs": COCO17.limbs,
            "keypoints": COCO17.keypoints,
            "mirror": mirror,
            "score_threshold": score_threshold,
            "camera": camera is not None,
        }
        self._token = secrets.token_urlsafe(18)
        self.endpoint = Endpoint(host, port, self._answer, self._talk, tls=tls)
        if camera is not None:
            camera.refused = self.endpoint.refused
        self._cookie = f"livepose_{self.endpoint.port}={self._token}"
        self._secure = "; Secure" if tls else ""
        self.address = f"{self.endpoint.origin}/?token={self._token}"

    def show(self, image_bgr: ImageBgr, line: str) -> None:
        """Hands over an image that nobody has looked at yet, and the line that says why."""
        said = {"line": line, "size_wh": image_bgr.shape[1::-1]}
        self._put(Frame(image_bgr, 0.0, -1), partial(json.dumps, said))

    def begin(self, skeleton: Skeleton, health: Health) -> None:
        """Frames are going to come: whose limbs the page draws, and whose figures it shows."""
        self._health = health
        self._about = {**self._about, "limbs": skeleton.limbs, "keypoints": skeleton.keypoints}
        self.endpoint.put(None)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
        """Hands over one frame."""
        self._put(frame, partial(_frame_text, frame, poses, self._health))

    def close(self) -> None:
        """Ends every page's connection; a second call does nothing."""
        self.endpoint.close()

    def _put(self, frame: Frame, text: Callable[..., str]) -> None:
        """It is packed once a page asks for it, and once for all pages but the one that sent it."""
        packed = cache(partial(self._message, frame.image_bgr, text))
        self.endpoint.put((frame.index, packed))

    def _message(self, image_bgr: ImageBgr, text: Callable[..., str], tag: int | None) -> bytes:
        """The text, and the image: not for the page that knows it by a tag of its own."""
        data = (text() if tag is None else text(tag=tag)).encode(errors="backslashreplace")
        hidden = self._skeleton_only or tag is not None
        return len(data).to_bytes(4, "big") + data + (b"" if hidden else _jpeg(image_bgr))

    def _answer(self, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        cookies = (one_header(request, "Cookie") or "").split(";")
        known = any(_same(one.strip(), self._cookie) for one in cookies)
        if parts.path == "/":
            token = parse_qs(parts.query).get("token", [""])[0]
            if known or _same(token, self._token):
                return self._page()
        elif parts.path != "/frames":
            return respond(http.HTTPStatus.NOT_FOUND, "text/plain", b"there is one page here: /\n")
        elif one_header(request, "Origin") is None:
            return self.endpoint.refuse("origin", "expected a browser; programs take --send")
        elif known:
            return None
        return self.endpoint.refuse("token", "open the address that livepose printed")

    def _page(self) -> Response:
        nonce = secrets.token_urlsafe(16)
        page = files("livepose.live").joinpath("page.html").read_text("utf-8")
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        cookie = f"{self._cookie}; HttpOnly; SameSite=Strict; Path=/{self._secure}"
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
        number, item, about = self.endpoint.number, None, None
        while True:
            if about is not self._about:
                about = self._about
                await connection.send(json.dumps(about))
            if item is not None:
                index, packed = item
                tag = self._camera.tag(id(connection), index) if self._camera else None
                await connection.send(packed(tag))
            await asked.wait()
            asked.clear()
            number, item = await self.endpoint.after(number)


def _same(said: str, secret: str) -> bool:
    return hmac.compare_digest(said.encode(errors="replace"), secret.encode())


def _frame_text(frame: Frame, poses: Poses, health: Health | None, **more: object) -> str:
    """The people, their colours and the figures as JSON."""
    from livepose.drawing import track_colours_bgr  # the view is there before what is compiled

    colours = {
        number: [[round(value) for value in row[::-1]] for row in track_colours_bgr(number)]
        for number in map(int, np.maximum(poses.track_ids, 1))
    }
    more |= {"size_wh": frame.size_wh, "figures": health.figures() if health else {}}
    more |= {"colours": colours, "age_ms": age_ms(frame)}
    # The page knows this image alone, whatever shape the source's own pixels have.
    return frame_json(replace(frame, scale_xy=(1.0, 1.0)), poses, "plain", None, **more)


def _jpeg(image_bgr: ImageBgr) -> bytes:
    """The image, made smaller where it is large."""
    height, width = image_bgr.shape[:2]
    scale = _LONGEST_SIDE_PX / max(height, width)
    if scale < 1:
        size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
        image_bgr = np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA))
    good, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return data.tobytes() if good else b""
