"""Health: whether frames come, how many and how old; for people, watchdogs and Prometheus."""

import http
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from livepose.frame import Frame, ImageBgr
from livepose.live.endpoint import Endpoint, respond
from livepose.poses import Poses
from livepose.sinks.sink import Sink

_SILENT_AFTER_S = 10.0
"""Without a frame for so long nothing is well."""
_FIGURES = {
    "frames_total": "frames",
    "dropped_frames_total": "dropped",
    "reconnects_total": "reconnects",
    "fps": "fps",
    "people": "people",
    "silent_seconds": "silent_s",
}
"""Figures by the names that Prometheus knows them by."""


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
    _ages_s: deque[float] = field(default_factory=lambda: deque(maxlen=240))
    _ticks_s: deque[float] = field(default_factory=lambda: deque(maxlen=30))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun_s: float = field(default_factory=time.perf_counter)

    def write(self, frame: Frame, poses: Poses, drawn_bgr: ImageBgr | None = None) -> None:
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
        ages_ms = np.multiply(ages_s or [np.nan], 1e3)
        p50, p95 = (round(float(one), 1) for one in np.percentile(ages_ms, [50, 95]))
        return {
            "fps": round(max(len(ticks_s) - 1, 0) / span_s, 2),
            "age_p50_ms": p50 if ages_s else None,
            "age_p95_ms": p95 if ages_s else None,
            **{"people": self.people, "frames": self.frames, "dropped": self.dropped},
            "reconnects": self.reconnects(),
            "silent_s": round(now_s - (ticks_s[-1] if ticks_s else self._begun_s), 2),
            "stage_ms": {name: round(ms, 2) for name, ms in self.stages().items() if ms == ms},
        }


def serve_health(
    port: int, streams: Sequence[Health], refused: Sequence[Counter[str]] = ()
) -> Endpoint:
    """Answers ``/healthz`` and ``/metrics`` on loopback, until it is closed.

    ``streams`` may grow later; ``refused`` are the refused requests of each view, by reason. A
    ``port`` of 0 takes a free one.
    """

    def answer(request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/healthz":
            return _healthz(streams)
        if path == "/metrics":
            text = _metrics(streams, sum(refused, endpoint.refused))
            return respond(http.HTTPStatus.OK, "text/plain; version=0.0.4", text.encode())
        return respond(http.HTTPStatus.NOT_FOUND, "text/plain", b"/healthz or /metrics\n")

    async def talk(connection: ServerConnection) -> None:
        """There is nothing to say on a web socket."""

    endpoint = Endpoint("127.0.0.1", port, answer, talk)
    return endpoint


def _healthz(streams: Sequence[Health]) -> Response:
    told = [{"source": one.source, **one.figures()} for one in streams]
    well = bool(told) and all(one["silent_s"] < _SILENT_AFTER_S for one in told)
    said = {"status": "ok" if well else "no frames", "streams": told}
    status = http.HTTPStatus.OK if well else http.HTTPStatus.SERVICE_UNAVAILABLE
    return respond(status, "application/json", json.dumps(said).encode() + b"\n")


def _metrics(streams: Sequence[Health], refused: Counter[str]) -> str:
    """Everything in Prometheus' text form."""
    rows = [("refused_requests_total", _label("reason", r), refused[r]) for r in sorted(refused)]
    for one in streams:
        source, figures = _label("source", one.source), one.figures()
        rows += [(name, source, figures[key]) for name, key in _FIGURES.items()]
        for share, age_ms in (("0.5", figures["age_p50_ms"]), ("0.95", figures["age_p95_ms"])):
            if age_ms is not None:
                rows.append(("frame_age_seconds", f'{source},quantile="{share}"', age_ms / 1e3))
        for stage, took_ms in figures["stage_ms"].items():
            rows.append(("stage_seconds", f"{source},{_label('stage', stage)}", took_ms / 1e3))
    lines: list[str] = []
    for name, family in groupby(sorted(rows), key=lambda row: row[0]):
        lines.append(f"# TYPE livepose_{name} {'counter' if name.endswith('_total') else 'gauge'}")
        lines += [f"livepose_{name}{{{labels}}} {value:.10g}" for _, labels, value in family]
    return "\n".join(lines) + "\n"


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'{name}="{escaped.encode(errors="backslashreplace").decode()}"'
