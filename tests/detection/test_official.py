import http.server
import json
import subprocess
import threading
import time

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


def as_published(monkeypatch, tmp_path, content):
    path = tmp_path / "published"
    path.write_bytes(content)
    monkeypatch.setitem(official.GIT_HASHES, "yolo11n", official.git_hash(path))


def test_the_hash_is_that_of_git(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert official.git_hash(path) == "ce013625030ba8dba906f756967f9e9ca394464a"
    said = subprocess.run(["git", "hash-object", path], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == official.git_hash(path)


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
    monkeypatch.setitem(official.GIT_HASHES, "yolo11n", official.git_hash(tmp_path / "yolo11n.pt"))
    assert official.find_official("yolo11n") == tmp_path / "yolo11n.pt"


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
    as_published(monkeypatch, tmp_path, server)
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


def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch):
    held = threading.Event()

    def never(*_, **__):
        held.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(official.socket, "create_connection", never)
    start_s = time.perf_counter()
    assert not official.reachable("https://example.invalid/x", 0.2)
    assert time.perf_counter() - start_s < 2
    held.set()


def test_a_host_that_does_not_exist_is_not_reachable():
    assert not official.reachable("http://127.0.0.1:1/x", 1.0)
