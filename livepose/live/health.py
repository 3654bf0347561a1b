"""Health: whether frames come, how many and how old; for people, watchdogs and Prometheus."""

import http
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.frame import Frame, ImageBgr
from livepose.live.endpoint import Endpoint, respond
from livepose.sinks.sink import Sink

if TYPE_CHECKING:
    from livepose.poses import Poses

_SILENT_AFTER_S = 10.0
"""Without a frame for so long nothing is well."""
_WINDOW = 240


@dataclass
class Health(Sink):
    """Counts the frames of one stream. Written by one thread, read by others."""

    source: str  # without passwords
    stages: Callable[[], Mapping[str, float]] = dict  # milliseconds of each
    reconnects: Callable[[], int] = int  # how often the source came back
    live: bool = True
    frames: int = 0
    people: int = 0
    dropped: int = 0
    _ages_s: deque[float] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    _ticks_s: deque[float] = field(default_factory=lambda: deque(maxlen=30))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun_s: float = field(default_factory=time.perf_counter)

    def write(self, frame: Frame, poses: "Poses", drawn_bgr: ImageBgr | None = None) -> None:
        """Counts one frame."""
        now_s = time.perf_counter()
        with self._lock:
            self.frames += 1
            self.people = len(poses)
            self.dropped += frame.dropped
            self._ticks_s.append(now_s)
            if frame.captured_s is not None:
                self._ages_s.append(now_s - frame.captured_s)

    def figures(self) -> dict[str, Any]:
        """What there is to say: fps, age in ms (None for files), people, drops, stages."""
        now_s = time.perf_counter()
        with self._lock:
            ticks_s, ages_s = list(self._ticks_s), list(self._ages_s)
        # A stream that stands still has fewer frames a second with every second.
        span_s = max(now_s - ticks_s[0], 1e-9) if ticks_s else 1.0
        p50, p95 = np.percentile(ages_s, [50, 95]) * 1e3 if ages_s else (None, None)
        return {
            "fps": round(max(len(ticks_s) - 1, 0) / span_s, 2),
            "age_p50_ms": None if p50 is None else round(float(p50), 1),
            "age_p95_ms": None if p95 is None else round(float(p95), 1),
            **{"people": self.people, "frames": self.frames, "dropped": self.dropped},
            "reconnects": self.reconnects(),
            "silent_s": round(now_s - (ticks_s[-1] if ticks_s else self._begun_s), 2),
            "stage_ms": {name: round(ms, 2) for name, ms in self.stages().items() if ms == ms},
        }


def serve_health(
    port: int, streams: Sequence[Health], refused: Mapping[str, int] | None = None
) -> Endpoint:
    """Answers ``/healthz`` and ``/metrics`` on loopback, until it is closed.

    ``streams`` may grow later; ``refused`` counts the refused requests of all servers by reason.
    A ``port`` of 0 takes a free one.
    """

    def answer(request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return _healthz(streams)
        if path == "/metrics":
            text = metrics(streams, refused or {})
            return respond(http.HTTPStatus.OK, "text/plain; version=0.0.4", text.encode())
        return respond(http.HTTPStatus.NOT_FOUND, "text/plain", b"/healthz or /metrics\n")

    async def talk(connection: ServerConnection) -> None:
        """There is nothing to say on a web socket."""

    return Endpoint("127.0.0.1", port, answer, talk)


def _healthz(streams: Sequence[Health]) -> Response:
    told = [{"source": one.source, **one.figures()} for one in streams]
    well = bool(told) and all(one["silent_s"] < _SILENT_AFTER_S for one in told)
    said = {"status": "ok" if well else "no frames", "streams": told}
    status = http.HTTPStatus.OK if well else http.HTTPStatus.SERVICE_UNAVAILABLE
    return respond(status, "application/json", json.dumps(said).encode() + b"\n")


_PLAIN = (
    ("frames_total", "counter", "frames", "Frames that were handled."),
    ("dropped_frames_total", "counter", "dropped", "Frames that were let go."),
    ("reconnects_total", "counter", "reconnects", "How often the source came back."),
    ("fps", "gauge", "fps", "Frames a second."),
    ("people", "gauge", "people", "People in the newest frame."),
    ("silent_seconds", "gauge", "silent_s", "Time since the newest frame."),
)


def metrics(streams: Sequence[Health], refused: Mapping[str, int]) -> str:
    """Everything in Prometheus' text form."""
    told = [(_label("source", one.source), one.figures()) for one in streams]
    ages = [
        (f'{source},quantile="{quantile}"', f"{one[key] / 1e3:.4f}")
        for source, one in told
        for quantile, key in (("0.5", "age_p50_ms"), ("0.95", "age_p95_ms"))
        if one[key] is not None
    ]
    stages = [
        (f"{source},{_label('stage', stage)}", f"{took_ms / 1e3:.5f}")
        for source, one in told
        for stage, took_ms in one["stage_ms"].items()
    ]
    counts = [(_label("reason", reason), str(count)) for reason, count in sorted(refused.items())]
    families = [
        *(
            (n, kind, said, [(s, str(one[key])) for s, one in told])
            for n, kind, key, said in _PLAIN
        ),
        ("frame_age_seconds", "summary", "From capture to the outputs.", ages),
        ("stage_seconds", "gauge", "Median of each stage.", stages),
        ("refused_requests_total", "counter", "Requests that were refused.", counts),
    ]
    lines: list[str] = []
    for name, kind, said, values in families:
        lines += [f"# HELP livepose_{name} {said}", f"# TYPE livepose_{name} {kind}"]
        lines += [f"livepose_{name}{{{labels}}} {value}" for labels, value in values]
    return "\n".join(lines) + "\n"


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{escaped.encode(errors="backslashreplace").decode()}"'
