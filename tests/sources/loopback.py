"""Network cameras on loopback, MJPEG over HTTP and RTSP: cut and brought back at will."""

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def folder_served(folder: Path) -> Iterator[int]:
    """The port on which its files are to be had."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def image(number: int, size_wh: tuple[int, int]) -> np.ndarray:
    """A gray image with a bright square that wanders."""
    image_bgr = np.full((size_wh[1], size_wh[0], 3), 60, np.uint8)
    left = 5 * number % (size_wh[0] - 40)
    image_bgr[20:60, left : left + 40] = (40, 200, 250)
    return image_bgr


class _Camera:
    """Starts, cuts and restarts a server on one port."""

    path = "/"
    scheme = "http"

    def __init__(self, size_wh: tuple[int, int] = (320, 240), fps: float = 25.0) -> None:
        self.size_wh, self.fps, self.port, self.alive = size_wh, fps, free_port(), False

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{self.path}"

    def start(self) -> None:
        self.alive = True
        self._server = self._make_server()
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        self.alive = False
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def images(self):
        number = 0
        while self.alive:
            yield image(number, self.size_wh)
            number += 1
            time.sleep(1 / self.fps)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.alive:
            self.cut()


class MjpegCamera(_Camera):
    """multipart/x-mixed-replace, as network cameras send it."""

    path = "/video"

    def _make_server(self):
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path != camera.path:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    for image_bgr in camera.images():
                        jpeg = cv2.imencode(".jpg", image_bgr)[1].tobytes()
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                        self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                except OSError:
                    pass

        return ThreadingHTTPServer(("127.0.0.1", self.port), Handler)


class RtspCamera(_Camera):
    """RTSP (RFC 2326) with H.264 (RFC 6184) interleaved in the TCP connection."""

    path = "/live"
    scheme = "rtsp"
    key_frame_every = 10

    def _make_server(self):
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with suppress(OSError, av.FFmpegError):
                    self._converse()

            def _converse(self):
                while request := self._request():
                    method, number = request
                    self._answer(method, number)
                    if method == "PLAY":
                        self._play()
                        return

            def _request(self):
                lines = []
                while line := self.rfile.readline().decode().strip():
                    lines.append(line)
                if not lines:
                    return None
                number = next(x.split(":")[1] for x in lines if x.lower().startswith("cseq"))
                return lines[0].split()[0], number.strip()

            def _answer(self, method, number):
                sdp = (
                    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                    "a=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
                )
                extra = {
                    "OPTIONS": "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
                    "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n",
                    "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n",
                    "PLAY": "Session: 7\r\n",
                }.get(method, "")
                text = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{extra}\r\n"
                self.wfile.write((text + (sdp if method == "DESCRIBE" else "")).encode())

            def _play(self):
                form = {"packetsize": "1200", "rtpflags": "skip_rtcp"}
                coder = {"preset": "ultrafast", "tune": "zerolatency"}
                coder["x264-params"] = f"repeat-headers=1:keyint={camera.key_frame_every}"
                start_s = time.perf_counter()
                with av.open(_Interleaved(self.wfile), "w", format="rtp", options=form) as output:
                    stream = output.add_stream("libx264", rate=25, options=coder)
                    stream.width, stream.height = camera.size_wh
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.time_base = Fraction(1, 90_000)
                    for image_bgr in camera.images():
                        frame = av.VideoFrame.from_ndarray(image_bgr, format="bgr24")
                        frame.pts = int((time.perf_counter() - start_s) * 90_000)
                        frame.time_base = Fraction(1, 90_000)
                        output.mux(stream.encode(frame))

        return _Tcp(("127.0.0.1", self.port), Handler)


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


class _Interleaved:
    """Takes RTP packets, and sends each with its length before it."""

    def __init__(self, file) -> None:
        self._file = file

    def write(self, packet: bytes) -> int:
        self._file.write(struct.pack(">cBH", b"$", 0, len(packet)) + bytes(packet))
        return len(packet)
