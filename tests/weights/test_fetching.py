"""Downloads from a local server that breaks off, ignores ranges, lies or is not there."""

import contextlib
import hashlib
import http.server
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from livepose.errors import WeightsError
from livepose.weights.fetching import download, fetch, file_sha256
from livepose.weights.manifest import Known

CONTENT = bytes(i * 7 % 251 for i in range(1_000_000))
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Behaviour:
    """How the server behaves, and what it was asked."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.break_after: int | None = None
        self.ranges = True
        self.status = 200
        self.say_length = True
        self.breaks_left = 10**6
        self.asked: list[str | None] = []
        self.hang_s = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    behaviour: Behaviour

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence."""

    def do_GET(self) -> None:
        say = self.behaviour
        asked = self.headers.get("Range")
        say.asked.append(asked)
        time.sleep(say.hang_s)
        if say.status != 200:
            self.send_error(say.status)
            return
        start = self._begin(asked)
        if start is not None:
            self._send_body(say.content[start:])

    def _begin(self, asked: str | None) -> int | None:
        say = self.behaviour
        size = len(say.content)
        match = re.fullmatch(r"bytes=(\d+)-", asked or "") if say.ranges else None
        start = int(match[1]) if match else 0
        if match and start >= size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.end_headers()
            return None
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        if say.say_length:
            self.send_header("Content-Length", str(size - start))
        self.end_headers()
        return start

    def _send_body(self, body: bytes) -> None:
        say = self.behaviour
        if say.break_after is not None and say.breaks_left > 0 and len(body) > say.break_after:
            say.breaks_left -= 1
            body = body[: say.break_after]
        with contextlib.suppress(OSError):  # a client that gave up is part of the test
            self.wfile.write(body)
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server() -> Iterator[tuple[str, Behaviour]]:
    behaviour = Behaviour()
    handler = type("BoundHandler", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/file.pth", behaviour
        running.shutdown()
        thread.join()


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_verified_and_its_progress_told(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download(
        server[0],
        tmp_path / "new" / "file.pth",
        sha256=SHA256[:8],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert path.read_bytes() == CONTENT
    assert only(path.parent) == ["file.pth"]
    assert seen[0] == (0, len(CONTENT)) and seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_server_that_breaks_off_is_asked_for_the_rest(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.break_after = 400_000
    path = download(url, tmp_path / "file.pth", sha256=SHA256)
    assert path.read_bytes() == CONTENT
    assert behaviour.asked == [None, "bytes=400000-", "bytes=800000-"]
    assert only(tmp_path) == ["file.pth"]


def test_a_server_that_gives_nothing_more_ends_it_and_keeps_what_is_there(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    (tmp_path / "file.pth.part").write_bytes(CONTENT[:1234])
    behaviour.break_after = 0
    with pytest.raises(
        WeightsError, match=r"broke off at 1,234 bytes .* run the same command again"
    ):
        download(url, tmp_path / "file.pth", sha256=SHA256)
    assert only(tmp_path) == ["file.pth.part"]
    behaviour.break_after = None
    assert download(url, tmp_path / "file.pth", sha256=SHA256).read_bytes() == CONTENT
    assert behaviour.asked[-1] == "bytes=1234-"


def test_a_server_that_ignores_ranges_makes_it_start_again(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.ranges = False
    (tmp_path / "file.pth.part").write_bytes(b"x" * 5000)
    assert download(url, tmp_path / "file.pth", sha256=SHA256).read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_and_breaks_off_does_not_go_on_for_ever(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.ranges = False
    behaviour.break_after = 300_000
    with pytest.raises(WeightsError, match="broke off at 300,000 bytes"):
        download(url, tmp_path / "file.pth", sha256=SHA256)
    assert len(behaviour.asked) == 2
    assert not (tmp_path / "file.pth").exists()


def test_a_complete_part_file_is_only_verified(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    (tmp_path / "file.pth.part").write_bytes(CONTENT)
    assert download(server[0], tmp_path / "file.pth", sha256=SHA256).read_bytes() == CONTENT
    assert server[1].asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_file_that_is_too_long_is_thrown_away(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    (tmp_path / "file.pth.part").write_bytes(CONTENT + b"more")
    with pytest.raises(WeightsError, match="part file did not fit"):
        download(server[0], tmp_path / "file.pth", sha256=SHA256)
    assert only(tmp_path) == []
    assert download(server[0], tmp_path / "file.pth", sha256=SHA256).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"not the published file \(SHA-256 00000000… expected"):
        download(server[0], tmp_path / "file.pth", sha256="00000000")
    assert only(tmp_path) == []


def test_a_damaged_part_file_does_not_end_under_the_final_name(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    (tmp_path / "file.pth.part").write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="not the published file"):
        download(server[0], tmp_path / "file.pth", sha256=SHA256)
    assert only(tmp_path) == []


def test_an_answer_without_length_is_taken_as_it_comes(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    server[1].say_length = False
    assert download(server[0], tmp_path / "file.pth", sha256=SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusing_server_is_quoted(
    status: int, server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    server[1].status = status
    with pytest.raises(WeightsError, match=f"the server says HTTP Error {status}"):
        download(server[0], tmp_path / "file.pth")
    assert only(tmp_path) == []


def test_offline_ends_at_once_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    start_s = time.monotonic()
    with pytest.raises(WeightsError, match=r"cannot be reached .* is this machine online"):
        download(f"http://127.0.0.1:{port}/x", tmp_path / "x")
    assert time.monotonic() - start_s < 5


def test_a_server_that_never_answers_is_given_up_on(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    server[1].hang_s = 1.0
    with pytest.raises(WeightsError, match=r"cannot be reached .*timed out"):
        download(server[0], tmp_path / "x", timeout_s=0.2)


def test_only_web_addresses_are_fetched(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="only http and https"):
        download("file:///etc/passwd", tmp_path / "x")


def test_an_unwritable_folder_is_said(server: tuple[str, Behaviour], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot write"):
        download(server[0], tmp_path / "file" / "x")


def known(url: str, sha256: str = SHA256[:8], folder: str = "") -> Known:
    return Known("x", "x.pth", "hrnet_w32", (128, 96), 17, "dark", url, folder, sha256)


def test_a_file_that_was_fetched_is_not_fetched_again(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    path = fetch(known(url), folder=tmp_path)
    assert fetch(known(url), folder=tmp_path) == path
    assert len(behaviour.asked) == 1
    path.write_bytes(b"damaged later")
    assert file_sha256(fetch(known(url), folder=tmp_path)) == SHA256


def test_files_that_need_a_person_say_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        fetch(known("", folder="https://drive/folder"), folder=tmp_path)
    assert "get x.pth from https://drive/folder" in str(caught.value)
    assert "weights import FILE --family dark --input 128x96" in str(caught.value)


@pytest.mark.parametrize("say_length", [True, False])
def test_no_more_is_taken_than_was_expected(
    say_length: bool, server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.say_length = say_length
    with pytest.raises(WeightsError, match="more than the 300,000 bytes"):
        download(url, tmp_path / "file.pth", most_bytes=300_000)
    assert only(tmp_path) == []


def test_a_known_file_ends_a_little_above_its_own_size(
    server: tuple[str, Behaviour], tmp_path: Path
) -> None:
    url, behaviour = server
    behaviour.content = CONTENT * 7
    with pytest.raises(WeightsError, match="more than the 6,050,000 bytes"):
        fetch(replace(known(url), size_mb=1.0), folder=tmp_path)
    assert only(tmp_path) == []


def test_a_server_that_drips_is_given_up(tmp_path: Path) -> None:
    class Dripping(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            """Silence."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        start_s = time.perf_counter()
        with pytest.raises(WeightsError, match="takes too long"):
            download(f"http://127.0.0.1:{running.server_port}/x", tmp_path / "x", limit_s=0.3)
        assert time.perf_counter() - start_s < 2
        running.shutdown()


def test_offline_by_choice_fetches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="LIVEPOSE_OFFLINE forbids"):
        fetch(known("http://127.0.0.1:1/x"), folder=tmp_path)
