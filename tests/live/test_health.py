"""Health: what a watchdog and Prometheus are told."""

import json
import time
from collections import Counter
from dataclasses import replace

import pytest
from live.requests_ import get
from sinks.people import frame, poses

from livepose.live.health import Health, serve_health


@pytest.fixture
def watched():
    stages = {"detect": 12.5, "track": float("nan")}
    stream = Health('cam "a"\\', stages=lambda: stages, reconnects=lambda: 3)
    with serve_health(0, [stream], [Counter(token=2, host=1), Counter(token=5)]) as server:
        yield stream, server.port


def test_health_follows_the_frames_and_without_them_for_ten_seconds_nothing_is_well(watched):
    stream, port = watched
    stream._begun_s -= 11
    status, _, body = get(port, "/healthz")
    assert status == 503 and json.loads(body)["status"] == "no frames"
    shown = replace(frame(0), captured_s=time.perf_counter() - 0.05, dropped=4)
    stream.write(shown, poses(2))
    status, headers, body = get(port, "/healthz")
    said = json.loads(body)
    assert (status, said["status"], headers["content-type"]) == (200, "ok", "application/json")
    (one,) = said["streams"]
    assert (one["frames"], one["people"], one["dropped"], one["reconnects"]) == (1, 2, 4, 3)
    assert one["age_p50_ms"] == pytest.approx(50, abs=30)
    assert one["stage_ms"] == {"detect": 12.5}
    assert get(port, "/")[0] == 404


def test_prometheus_reads_the_metrics_and_all_refusals_are_summed(watched):
    stream, port = watched
    for index in range(10):
        stream.write(replace(frame(index), captured_s=time.perf_counter()), poses(1))
    assert get(port, "/metrics", {"Host": "evil.example"})[0] == 403
    status, headers, body = get(port, "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    lines = body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    source = r'source="cam \"a\"\\"'
    assert values[f"livepose_frames_total{{{source}}}"] == "10"
    assert float(values[f"livepose_fps{{{source}}}"]) > 1
    assert values['livepose_refused_requests_total{reason="token"}'] == "7"
    assert values['livepose_refused_requests_total{reason="host"}'] == "2"
    assert float(values[f'livepose_frame_age_seconds{{{source},quantile="0.95"}}']) < 1
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {name.partition("{")[0] for name in values} <= typed
