"""The live outputs and the rules for files, from the command line."""

import json
import os
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import av
import fakes
import numpy as np
import pytest
from fakes import make_pipeline
from live.requests_ import get, messages, wait_for
from sources.loopback import free_port

from livepose.cli import main

__all__ = ["make_pipeline"]
USAGE, INTERRUPTED = 2, 130


@pytest.fixture
def clip(tmp_path):
    """A second of a white person who walks."""
    return fakes.clip(tmp_path / "in.mp4", frames=30)


def test_one_command_sends_and_records_at_once(make_pipeline, clip, tmp_path, receiver):
    url = f"osc://127.0.0.1:{receiver.getsockname()[1]}"
    words = ["--video", str(clip), "--send", url, "--json", str(tmp_path / "a")]
    assert main([*words, "--output", str(tmp_path / "out.mp4")]) == 0
    said = [messages(receiver.recv(65536)) for _ in range(30)]
    assert [one["/livepose/frame"][0] for one in said] == list(range(30))
    assert said[-1]["/livepose/0/id"] == [1]
    assert len((tmp_path / "a").read_text().splitlines()) == 31


def test_skeleton_only_leaves_nothing_of_the_image(make_pipeline, clip, tmp_path):
    words = ["--video", str(clip), "--skeleton-only", "--keypoint-threshold", "2"]
    words += ["--output", str(tmp_path / "out.mp4"), "--sheet", str(tmp_path / "s.png")]
    assert main(words) == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert np.mean(np.stack(frames) > 40) < 0.02  # the id alone


def test_keypoints_under_the_threshold_are_missing_in_every_output(make_pipeline, clip, tmp_path):
    words = ["--video", str(clip), "--kpt-thr", "1.1", "--json", str(tmp_path / "a.jsonl")]
    assert main([*words, "--coco-json", str(tmp_path / "c.json")]) == 0
    header, *frames = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert header["livepose"]["keypoint_threshold"] == 1.1
    people = [person for frame in frames for person in frame["people"]]
    assert people and all(set(person["states"]) == {"missing"} for person in people)
    assert all(point is None for person in people for point in person["keypoints"])
    coco = json.loads((tmp_path / "c.json").read_text())
    assert not any(any(record["keypoints"]) for record in coco)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--send", "osc://no-such-host.invalid:1"], "cannot be resolved"),
        (["--serve", "0.0.0.0:8080"], "without https a phone gives no page its camera"),
        (["--serve-cert", "/nowhere.pem", "--serve", "8080"], "expected a PEM file"),
        (["--send", "ws://127.0.0.1:TAKEN"], "already in use"),
        (["--serve", "TAKEN"], "already in use"),
        (["--serve", "8181", "--health", "8181"], "already in use"),
        (["--send", "ws://127.0.0.1:8181", "--health", "8181"], "already in use"),
    ],
)
def test_a_wrong_live_output_is_a_usage_error_before_anything_is_loaded(
    clip, words, said, capsys, monkeypatch
):
    monkeypatch.setattr("livepose.cli.start.GettingReady", None)
    monkeypatch.chdir(clip.parent)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = [word.replace("TAKEN", port) for word in words]
        assert main(["--video", str(clip), *words]) == USAGE
    assert said in capsys.readouterr().err


RUN = """
import sys
import pytest, fakes
from livepose import pipeline, sources
from livepose.cli import main
pipeline.open_runtime = lambda *_, **__: fakes.FakeRuntime()
pipeline.open_detector = lambda *_, **__: fakes.FakeDetector()
sys.exit(main(sys.argv[1:]))
"""


def test_a_signal_finishes_every_output(tmp_path):
    lines = tmp_path / "o.jsonl"
    source, port = fakes.clip(tmp_path / "long.mp4", frames=500), free_port()
    words = ["--video", str(source), "--no-window", "--json", str(lines)]
    words += ["--output", str(tmp_path / "o.mp4"), "--csv", str(tmp_path / "o.csv")]
    words += ["--coco-json", str(tmp_path / "c.json"), "--sheet", str(tmp_path / "s.png")]
    words += ["--health", str(port), "--send", f"ws://127.0.0.1:{free_port()}"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", RUN, *words]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        wait_for(lambda: lines.exists() and lines.read_text().count("\n") > 15, 60.0)
        status, _, body = get(port, "/healthz")
        (told,) = json.loads(body)["streams"]
        assert status == 200 and told["frames"] > 10
        assert set(told["stage_ms"]) >= {"detect", "decode"}
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=30)
    assert running.returncode == INTERRUPTED, said
    assert "stopped by SIGTERM" in said and "Traceback" not in said
    written = len(lines.read_text().splitlines()) - 1
    assert json.loads((tmp_path / "c.json").read_text())[-1]["image_id"] == written - 1
    assert (tmp_path / "s.png").stat().st_size > 1000
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == written
    assert not list(tmp_path.glob(".*"))


def test_ports_of_several_sources_count_up_and_what_all_views_refuse_is_summed(
    make_pipeline, clip, caplog, monkeypatch, receiver
):
    seen, health = [], free_port()

    def open_runtime(*_, **__):
        """While the networks get ready."""
        for said in caplog.text.split("browser view: ")[1:]:
            address = urlsplit(said.split()[0])
            seen.append(get(address.port, f"/?{address.query}")[0])
            seen.append(get(address.port, "/")[0])
        seen.append(get(health, "/metrics")[2])
        return fakes.FakeRuntime()

    monkeypatch.setattr("livepose.pipeline.open_runtime", open_runtime)
    url = f"udp://127.0.0.1:{receiver.getsockname()[1] - 1}?full"
    words = ["--video", str(clip), "--video", str(clip), "--send", url, "--no-window"]
    with caplog.at_level("INFO"):
        assert main([*words, "--serve", str(free_port()), "--health", str(health)]) == 0
    assert "livepose" in json.loads(receiver.recv(65536))
    assert seen[:4] == [200, 403, 200, 403]
    assert b'livepose_refused_requests_total{reason="token"} 2\n' in seen[4]
