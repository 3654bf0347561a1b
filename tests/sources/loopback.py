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
from http.client import parse_headers
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, takewhile
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


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False


class _Camera:
    """Starts, cuts and restarts a server on one port."""

    address: str
    handler: type[socketserver.StreamRequestHandler]
    key_frame_every = 10

    def __init__(self, size_wh: tuple[int, int] = (320, 240), fps: float = 25.0) -> None:
        self.size_wh, self.fps, self.port, self.alive = size_wh, fps, free_port(), False
        self.url = self.address.format(self.port)

    def start(self) -> None:
        self.alive = True
        self._server = _Server(("127.0.0.1", self.port), self.handler)
        self._server.camera = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def cut(self) -> None:
        """Ends every connection and refuses new ones."""
        self.alive = False
        self._server.shutdown()
        self._server.server_close()

    def images(self) -> Iterator[np.ndarray]:
        """A gray image with a bright square that wanders."""
        for number in takewhile(lambda _: self.alive, count()):
            image_bgr = np.full((*self.size_wh[::-1], 3), 60, np.uint8)
            left = 5 * number % (self.size_wh[0] - 40)
            image_bgr[20:60, left : left + 40] = (40, 200, 250)
            yield image_bgr
            time.sleep(1 / self.fps)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.alive:
            self.cut()


class _Mjpeg(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path != "/video":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        with suppress(OSError):
            for image_bgr in self.server.camera.images():
                jpeg = cv2.imencode(".jpg", image_bgr)[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")


class MjpegCamera(_Camera):
    """multipart/x-mixed-replace, as network cameras send it."""

    address, handler = "http://127.0.0.1:{}/video", _Mjpeg


_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    "a=fmtp:96 packetization-mode=1\r\na=control:track0\r\n"
)
_ANSWERS = {
    "OPTIONS": "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
    "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(_SDP)}\r\n\r\n{_SDP}",
    "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n\r\n",
    "PLAY": "Session: 7\r\n\r\n",
}


class _Rtsp(socketserver.StreamRequestHandler):
    def handle(self):
        with suppress(OSError, av.FFmpegError):
            while method := self.rfile.readline().decode().partition(" ")[0]:
                number, answer = parse_headers(self.rfile)["CSeq"], _ANSWERS.get(method, "\r\n")
                self.wfile.write(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{answer}".encode())
                if method == "PLAY":
                    self._play(self.server.camera)
                    return

    def write(self, packet: bytes) -> int:
        """Sends an RTP packet with its length before it."""
        self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + bytes(packet))
        return len(packet)

    def _play(self, camera):
        form = {"packetsize": "1200", "rtpflags": "skip_rtcp"}
        coder = {"preset": "ultrafast", "tune": "zerolatency"}
        coder["x264-params"] = f"repeat-headers=1:keyint={camera.key_frame_every}"
        start_s = time.perf_counter()
        with av.open(self, "w", format="rtp", options=form) as output:
            stream = output.add_stream("libx264", rate=25, options=coder)
            stream.width, stream.height = camera.size_wh
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = Fraction(1, 90_000)
            for image_bgr in camera.images():
                frame = av.VideoFrame.from_ndarray(image_bgr, format="bgr24")
                frame.pts = int((time.perf_counter() - start_s) * 90_000)
                frame.time_base = Fraction(1, 90_000)
                output.mux(stream.encode(frame))


class RtspCamera(_Camera):
    """RTSP (RFC 2326) with H.264 (RFC 6184) interleaved in the TCP connection."""

    address, handler = "rtsp://127.0.0.1:{}/live", _Rtsp
