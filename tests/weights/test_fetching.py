"""Downloads from a local server that breaks off, ignores ranges, lies or is not there."""

import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from weights.server import CONTENT, SHA256, Server

from livepose.errors import WeightsError
from livepose.weights.fetching import download, fetch, file_sha256
from livepose.weights.manifest import Known


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.pth"


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_is_downloaded_verified_and_its_progress_told(
    says_length: bool, server: Server, target: Path
) -> None:
    server.says_length = says_length
    seen: list[tuple[int, int | None]] = []
    path = download(server.url, target, sha256=SHA256[:8], progress=lambda *told: seen.append(told))
    assert path.read_bytes() == CONTENT and only(path.parent) == ["file.pth"]
    total = len(CONTENT) if says_length else None
    assert seen[0] == (0, total) and seen[-1] == (len(CONTENT), total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_server_that_breaks_off_is_asked_for_the_rest(server: Server, target: Path) -> None:
    server.break_after = 400_000
    assert download(server.url, target).read_bytes() == CONTENT
    assert server.starts == [0, 400_000, 800_000] and only(target.parent) == ["file.pth"]


def test_what_came_is_kept_and_a_later_call_goes_on(server: Server, tmp_path: Path) -> None:
    target, part = tmp_path / "file.pth", tmp_path / "file.pth.part"
    part.write_bytes(CONTENT[:1234])
    server.break_after = 0
    with pytest.raises(WeightsError, match=r"broke off at 1,234 bytes .* again to go on"):
        download(server.url, target, sha256=SHA256)
    server.break_after = None
    assert download(server.url, target, sha256=SHA256).read_bytes() == CONTENT
    assert server.starts == [1234, 1234] and only(tmp_path) == ["file.pth"]


@pytest.mark.parametrize(
    ("part", "ranges", "sha256"),
    [(b"x" * 5000, False, SHA256), (CONTENT + b"more", True, SHA256), (b"x" * 5000, True, "")],
    ids=["a server without ranges", "a part that is too long", "of a file without a hash"],
)
def test_what_cannot_be_continued_is_begun_again(
    part: bytes, ranges: bool, sha256: str, server: Server, tmp_path: Path
) -> None:
    server.ranges = ranges
    (tmp_path / "file.pth.part").write_bytes(part)
    assert download(server.url, tmp_path / "file.pth", sha256=sha256).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted(server: Server, tmp_path: Path) -> None:
    server.content = b"x" * 1000
    with pytest.raises(WeightsError, match=rf"not the file .* \(SHA-256 {SHA256}, got"):
        download(server.url, tmp_path / "file.pth", sha256=SHA256)
    assert only(tmp_path) == []


@pytest.mark.parametrize(
    ("behaviour", "limits", "sentence"),
    [
        ({"status": 404}, {}, "the server says HTTP Error 404"),
        ({"ranges": False, "break_after": 300_000}, {}, "broke off at 300,000 bytes"),
        ({"hang_s": 1.0}, {"timeout_s": 0.2}, r"cannot be reached .*timed out"),
        ({"pause_s": 0.05}, {"limit_s": 0.3}, "takes longer than 0.3 s"),
        ({"says_length": True}, {"most_bytes": 300_000}, "more than the 300,000 bytes"),
        ({"says_length": False}, {"most_bytes": 300_000}, "more than the 300,000 bytes"),
    ],
    ids=["refuses", "always breaks off", "no answer", "drips", "too large", "too large, unsaid"],
)
def test_a_download_ends_in_a_sentence_and_has_limits(
    behaviour: dict[str, Any], limits: dict[str, Any], sentence: str, server: Server, target: Path
) -> None:
    for name, value in behaviour.items():
        setattr(server, name, value)
    start_s = time.perf_counter()
    with pytest.raises(WeightsError, match=sentence):
        download(server.url, target, **limits)
    assert time.perf_counter() - start_s < 2
    assert not target.exists() and len(server.paths) <= 2


def test_no_host_other_addresses_and_unwritable_folders_are_said(
    server: Server, target: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(WeightsError, match=r"cannot be reached .* is this machine online"):
        download(f"http://127.0.0.1:{port}/x", target)
    with pytest.raises(WeightsError, match="only http and https"):
        download("file:///etc/passwd", target)
    target.parent.rmdir()
    target.parent.touch()
    with pytest.raises(WeightsError, match="cannot write"):
        download(server.url, target)


def known(url: str, folder: str = "") -> Known:
    return Known("x", "x.pth", "hrnet_w32", (128, 96), 17, "dark", url, folder, SHA256[:8])


def test_a_file_that_was_fetched_is_not_fetched_again(server: Server) -> None:
    path = fetch(known(server.url))
    assert fetch(known(server.url)) == path and len(server.paths) == 1
    path.write_bytes(b"damaged later")
    assert file_sha256(fetch(known(server.url))) == SHA256


def test_a_known_file_ends_a_little_above_its_own_size(server: Server) -> None:
    server.content = CONTENT * 7
    with pytest.raises(WeightsError, match="more than the 6,050,000 bytes"):
        fetch(replace(known(server.url), size_mb=1.0))


def test_offline_by_choice_fetches_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="LIVEPOSE_OFFLINE forbids"):
        fetch(known(server.url))
    assert server.paths == []
