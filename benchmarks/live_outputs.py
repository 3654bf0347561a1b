"""What live outputs cost, and whether they hold for long.

    python -m benchmarks.live_outputs age CLIP [--seconds 120]
    python -m benchmarks.live_outputs soak CLIP [--minutes 20]

``age``: frame age at the window of a camera on loopback, by turns (some frames each) without any
output and with ``--send`` (OSC, UDP, web socket), ``--serve``, ``--json`` and ``--output`` at
once. It needs a screen (xvfb-run does). ``soak``: the program with all of these, the camera cut
ten times, and one client that never reads; resident memory, files and threads are read from
/proc.
"""

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import av
import cv2
import numpy as np

CUTS = 10
BLOCK, SETTLING = 20, 3
AWAY_S = 3.0


class Camera:
    """A clip as an MJPEG camera on loopback, again and again; it can be cut."""

    def __init__(self, clip: Path, fps: float, frames: int = 150) -> None:
        with av.open(str(clip)) as container:
            decoded = (frame.to_ndarray(format="bgr24") for frame in container.decode(video=0))
            taken = [image for image, _ in zip(decoded, range(frames), strict=False)]
        self._jpegs = [cv2.imencode(".jpg", image)[1].tobytes() for image in taken]
        self._fps, self.alive = fps, True
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                camera.send(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/camera"

    def send(self, client: BaseHTTPRequestHandler) -> None:
        """Frames at their rate, until it is cut or the client has gone."""
        if not self.alive:
            client.send_error(503)
            return
        client.send_response(200)
        client.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        client.end_headers()
        due_s = time.perf_counter()
        for index in range(10**9):
            jpeg = self._jpegs[index % len(self._jpegs)]
            part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            try:
                client.wfile.write(part + jpeg + b"\r\n")
            except OSError:
                return
            due_s += 1 / self._fps
            time.sleep(max(due_s - time.perf_counter(), 0))
            if not self.alive:
                return


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def everything(folder: Path, ws_port: int, serve_port: int) -> list[str]:
    """All live outputs and two files."""
    sends = ["osc://127.0.0.1:9", "udp://127.0.0.1:9?full", f"ws://127.0.0.1:{ws_port}"]
    words = [word for url in sends for word in ("--send", url)]
    files = ["--json", str(folder / "poses.jsonl"), "--output", str(folder / "out.mkv")]
    return [*words, "--serve", str(serve_port), *files, "--overwrite", "--rotate", "1MB"]


@contextmanager
def readers(ws_port: int, address: str) -> Iterator[None]:
    """A page that looks, and a client of the bus that never reads."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    with urlopen(address) as page:  # noqa: S310 - the address is our own
        cookie = page.headers["Set-Cookie"].partition(";")[0]
    origin = re.match(r"http://[^/]+", address)
    assert origin is not None
    how: dict[str, Any] = {"origin": origin[0], "additional_headers": {"Cookie": cookie}}
    stop = threading.Event()

    def look() -> None:
        with (
            suppress(ConnectionClosed),
            connect(origin[0].replace("http", "ws") + "/frames", max_size=None, **how) as page,
        ):
            page.recv()
            while not stop.is_set():
                page.send("next")
                with suppress(TimeoutError):
                    page.recv(1.0)

    threading.Thread(target=look, daemon=True).start()
    with socket.create_connection(("127.0.0.1", ws_port)) as deaf:
        deaf.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{ws_port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        yield
        stop.set()


BY_TURNS = """
import sys, threading, time
from livepose.cli import main
from livepose.player import Player

show, ages_ms, both = Player._show, [], []
end_s = time.perf_counter() + float(sys.argv.pop(1))

def shown(self, frame, poses, drawn_bgr):
    if not both:
        both.append((self.sinks, self.live_sinks))
    show(self, frame, poses, drawn_bgr)
    ages_ms.append((time.perf_counter() - frame.captured_s) * 1e3)
    over = time.perf_counter() > end_s
    with_outputs = over or len(ages_ms) // BLOCK % 2 == 0
    self.sinks, self.live_sinks = both[0] if with_outputs else ([], [])
    if over:
        self.stop()

Player._show = shown
main(sys.argv[1:])
print("AGES", *ages_ms)
"""
"""Runs the program and lets its outputs have the frames of every second block alone."""


def ages_by_turns(camera: Camera, seconds: float) -> list[float]:
    """Frame ages at the window in ms: ``BLOCK`` frames with outputs, as many without, and so on."""
    code = BY_TURNS.replace("BLOCK", str(BLOCK))
    with tempfile.TemporaryDirectory() as folder:
        ws_port, serve_port = free_port(), free_port()
        words = ["--source", camera.url, "--show", *everything(Path(folder), ws_port, serve_port)]
        command = [sys.executable, "-c", code, str(seconds), *words]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stderr is not None and running.stdout is not None
            with readers(ws_port, address_said(running.stderr)):
                said = running.stdout.read()
            running.stderr.read()
    return [float(word) for word in said.rpartition("AGES")[2].split()]


def address_said(lines: Iterator[str]) -> str:
    """The address of the browser view, once all is ready, from what the program says."""
    address = ""
    for line in lines:
        if "browser view: " in line:
            address = line.partition("browser view: ")[2].strip()
        if "ready after" in line:
            time.sleep(5)  # until the outputs are open
            return address
    raise RuntimeError("the program ended early")


def age(clip: Path, fps: float, seconds: float) -> None:
    """Prints the median with and without outputs, and that of neighbouring blocks' differences."""
    ages_ms = np.array(ages_by_turns(Camera(clip, fps), seconds))
    blocks = ages_ms[: len(ages_ms) // BLOCK * BLOCK].reshape(-1, BLOCK)[2:, SETTLING:]
    medians = np.median(blocks, axis=1)
    medians = medians[: len(medians) // 2 * 2].reshape(-1, 2)
    differences = medians[:, 0] - medians[:, 1]
    q1, middle, q3 = np.percentile(differences, [25, 50, 75])
    with_outputs, without = np.median(medians, axis=0)
    print(f"{len(differences)} pairs of blocks of {BLOCK} frames")
    print(f"with outputs {with_outputs:.2f} ms, without {without:.2f} ms")
    print(f"grows by {middle:.2f} ms (quartiles {q1:.2f} to {q3:.2f})")


def soak(clip: Path, fps: float, minutes: float) -> None:
    """Prints memory, files and threads twenty times, with the camera cut in between."""
    camera = Camera(clip, fps)
    with tempfile.TemporaryDirectory() as folder:
        ws_port, serve_port, health = free_port(), free_port(), free_port()
        words = ["--source", camera.url, "--no-window", "--reconnect", "forever"]
        words += [*everything(Path(folder), ws_port, serve_port), "--health", str(health)]
        command = [sys.executable, "-m", "livepose", "--verbose", *words]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            address = address_said(running.stderr)
            copy = (running.stderr, sys.stderr)
            threading.Thread(target=shutil.copyfileobj, args=copy, daemon=True).start()
            try:
                with readers(ws_port, address):
                    watch(running.pid, health, camera, minutes)
            finally:
                running.terminate()
            running.wait(60)
        names = sorted(path.name for path in Path(folder).iterdir())
        print(f"exit code {running.returncode}; files: {names}")


def watch(pid: int, health: int, camera: Camera, minutes: float) -> None:
    """One line a twentieth of the time, and a cut a tenth of it."""
    print("minute  MB      files  threads  frames  reconnects  fps   silent s")
    for step in range(2 * CUTS):
        end_s = time.perf_counter() + minutes * 3 - (AWAY_S if step % 2 else 0)
        if step % 2:
            camera.alive = False
            time.sleep(AWAY_S)
            camera.alive = True
        time.sleep(max(end_s - time.perf_counter(), 0))
        status = Path(f"/proc/{pid}/status").read_text()
        (resident_kb,) = re.findall(r"VmRSS:\s+(\d+)", status)
        (threads,) = re.findall(r"Threads:\s+(\d+)", status)
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        stream = health_of(health)
        print(
            f"{(step + 1) * minutes / 2 / CUTS:6.1f}  {int(resident_kb) / 1024:6.1f}  {files:5}  "
            f"{threads:>7}  {stream['frames']:6}  {stream['reconnects']:10}  {stream['fps']:4.1f}  "
            f"{stream['silent_s']:.1f}",
            flush=True,
        )


def health_of(port: int) -> dict[str, Any]:
    """What the program says of its only stream, be it well or not."""
    try:
        answer = urlopen(f"http://127.0.0.1:{port}/healthz")
    except HTTPError as error:
        answer = error
    with answer:
        (stream,) = json.loads(answer.read())["streams"]
    return dict(stream)


def main() -> None:
    """Measures what the words say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("age", "soak"))
    parser.add_argument("clip", type=Path)
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--minutes", type=float, default=20.0)
    asked = parser.parse_args()
    if asked.what == "age":
        age(asked.clip, asked.fps, asked.seconds)
    else:
        soak(asked.clip, asked.fps, asked.minutes)


if __name__ == "__main__":
    main()
