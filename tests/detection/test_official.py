import hashlib
import http.server
import json
import os
import threading
import time
from pathlib import Path

import pytest

from livepose.detection import official


@pytest.fixture
def server(monkeypatch):
    """A server on loopback that has one file, which it names yolo11n.pt."""
    content = b"published weights" * 1000

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path.endswith("yolo11n.pt") else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(official, "ADDRESS", f"http://127.0.0.1:{running.server_port}/")
        monkeypatch.delenv("LIVEPOSE_OFFLINE")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield content
        running.shutdown()
        thread.join()


def as_published(monkeypatch, content):
    monkeypatch.setitem(official.SHA256, "yolo11n", hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("yolo11n", True),
        ("yolo11x.pt", True),
        ("yolov8s", True),
        ("yolo26m", True),
        ("yolo11n-pose", False),
        ("auto", False),
        ("../yolo11n", False),
        ("yolo", False),
    ],
)
def test_names_of_detection_checkpoints_are_known(name, known):
    assert official.is_official(name) is known


def test_a_checkpoint_in_the_working_folder_is_found(tmp_path, monkeypatch):
    assert official.find_official("yolo11n") is None
    (tmp_path / "yolo11n.pt").write_bytes(b"weights")
    as_published(monkeypatch, b"weights")
    assert official.find_official("yolo11n") == Path("yolo11n.pt")


def test_a_file_that_only_has_the_name_is_passed_over(tmp_path):
    (tmp_path / "yolo11n.pt").write_bytes(b"something else")
    assert official.find_official("yolo11n") is None


def test_a_checkpoint_in_the_folder_of_ultralytics_is_found(tmp_path):
    kept = tmp_path / "kept"
    settings = tmp_path / "config" / "Ultralytics" / "settings.json"
    settings.parent.mkdir(parents=True)
    kept.mkdir()
    (kept / "yolo11s.pt").write_bytes(b"weights")
    settings.write_text(json.dumps({"weights_dir": str(kept)}))
    assert official.find_official("yolo11s") == kept / "yolo11s.pt"
    settings.write_text("garbage")
    assert official.find_official("yolo11s") is None


def test_a_checkpoint_is_fetched_verified_and_found_again(said, server, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    as_published(monkeypatch, server)
    path = official.fetch_official("yolo11n")
    assert path is not None
    assert path.read_bytes() == server
    assert said[0].startswith("fetching http://127.0.0.1")
    assert official.find_official("yolo11n") == path


def test_what_is_not_the_published_file_is_deleted(said, server, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    assert official.fetch_official("yolo11n") is None
    assert "not the published file" in said[-1]
    assert not list((tmp_path / "fresh").rglob("*.pt"))


def test_a_checkpoint_that_the_server_lacks_is_told(said, server, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    assert official.fetch_official("yolo11s") is None
    assert "404" in said[-1]


def test_offline_by_choice_asks_nobody():
    start_s = time.perf_counter()
    assert official.fetch_official("yolo11n") is None
    assert time.perf_counter() - start_s < 0.5


def test_a_start_is_held_up_for_no_longer_than_said(said, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.delenv("LIVEPOSE_OFFLINE")
    held = threading.Event()
    monkeypatch.setattr(official, "download", lambda *_, **__: held.wait(30))
    start_s = time.perf_counter()
    assert official.fetch_official("yolo11n", 0.2) is None
    assert time.perf_counter() - start_s < 2
    assert "not there within 0.2 s" in said[-1]
    held.set()


def test_the_default_is_tried_for_once_a_day(monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.delenv("LIVEPOSE_OFFLINE")
    tries = []
    monkeypatch.setattr(official, "fetch_official", lambda *asked: tries.append(asked))
    for _ in range(3):
        assert official.fetch_once_a_day() is None
    assert tries == [("yolo11n", 5.0)]
    tried = tmp_path / "fresh" / "downloads" / "yolo11n.tried"
    os.utime(tried, (time.time() - 90_000,) * 2)
    official.fetch_once_a_day()
    assert len(tries) == 2
    (tmp_path / "file").touch()
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "file"))
    assert official.fetch_once_a_day() is None
    assert len(tries) == 2


def test_a_file_larger_than_the_published_one_is_not_taken(said, server, monkeypatch, tmp_path):
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "fresh"))
    monkeypatch.setitem(official.SIZES, "yolo11n", 1000)
    assert official.fetch_official("yolo11n") is None
    assert "more than the 1,000 bytes" in said[-1]
    assert not list((tmp_path / "fresh" / "downloads").iterdir())
