"""Downloads from a local server that breaks off, ignores ranges, lies, is the hub, or not there."""

import socket
import time
from dataclasses import replace

import pytest
from weights.server import CONTENT, SHA256

from livepose.errors import WeightsError
from livepose.weights.fetching import download, fetch, fetch_from_hub
from livepose.weights.manifest import Known
from livepose.weights.places import find_weights


def only(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def target(tmp_path):
    return tmp_path / "new" / "file.pth"


@pytest.mark.parametrize("says_length", [True, False])
def test_a_file_is_downloaded_verified_and_its_progress_told(says_length, server, target):
    server.says_length = says_length
    seen: list[tuple[int, int | None]] = []
    path = download(server.url, target, sha256=SHA256[:8], progress=lambda *told: seen.append(told))
    assert path.read_bytes() == CONTENT and only(path.parent) == ["file.pth"]
    total = len(CONTENT) if says_length else None
    assert seen[0] == (0, total) and seen[-1] == (len(CONTENT), total)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_a_server_that_breaks_off_is_asked_for_the_rest(server, target):
    server.break_after = 400_000
    assert download(server.url, target).read_bytes() == CONTENT
    assert server.starts == [0, 400_000, 800_000] and only(target.parent) == ["file.pth"]


def test_what_came_is_kept_and_a_later_call_goes_on(server, tmp_path):
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
def test_what_cannot_be_continued_is_begun_again(part, ranges, sha256, server, tmp_path):
    server.ranges = ranges
    (tmp_path / "file.pth.part").write_bytes(part)
    assert download(server.url, tmp_path / "file.pth", sha256=sha256).read_bytes() == CONTENT


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
def test_a_download_ends_in_a_sentence_and_has_limits(behaviour, limits, sentence, server, target):
    vars(server).update(behaviour)
    start_s = time.perf_counter()
    with pytest.raises(WeightsError, match=sentence):
        download(server.url, target, **limits)
    assert time.perf_counter() - start_s < 2
    assert not target.exists() and len(server.paths) <= 2


def test_no_host_other_addresses_and_unwritable_folders_are_said(server, target):
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


def test_a_known_file_is_fetched_once_and_ends_a_little_above_its_own_size(server, monkeypatch):
    known = Known(*("x", "x.pth", "w32", (9, 9), 17, "dark", server.url), sha256=SHA256[:8])
    path = fetch(known)
    assert fetch(known) == path and len(server.paths) == 1
    path.write_bytes(b"damaged later")
    assert fetch(known).read_bytes() == CONTENT
    path.unlink()
    server.content = CONTENT * 7
    with pytest.raises(WeightsError, match="more than the 6,050,000 bytes"):
        fetch(replace(known, size_mb=1.0))
    server.paths.clear()
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="LIVEPOSE_OFFLINE forbids"):
        fetch(known)
    assert server.paths == []


# -- the Hugging Face hub --------------------------------------------------------------------------

ADDRESS = "hf://owner/repo/sub/net.safetensors"


@pytest.fixture
def hub(server, monkeypatch):
    """The hub, with one file."""
    monkeypatch.setenv("HF_ENDPOINT", server.host)
    server.content = b"weights"
    return server


def test_a_file_is_fetched_once_and_its_hash_told_and_remembered(hub, cache, said, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    with pytest.raises(WeightsError, match="not on this machine"):
        find_weights(ADDRESS, offline=True)
    path = find_weights(ADDRESS)
    assert path.read_bytes() == b"weights" and path.name == "net.safetensors"
    assert hub.paths == ["/owner/repo/resolve/main/sub/net.safetensors"]
    assert hub.tokens == ["Bearer hf_x"]
    assert f"{ADDRESS}@sha256:{hub.sha256}" in said[-1]
    told = len(said)
    assert find_weights(ADDRESS) == find_weights(ADDRESS, offline=True) == path
    assert len(hub.paths) == 1 and len(said) == told
    assert only(cache) == ["net.safetensors", "net.safetensors.sha256"]
    path.write_bytes(b"changed")
    assert fetch_from_hub(ADDRESS).read_bytes() == b"weights" and len(hub.paths) == 2


def test_another_file_than_the_remembered_or_the_named_one_is_refused_and_deleted(hub, cache):
    with pytest.raises(WeightsError, match=r"0000, got .*it was deleted$") as caught:
        fetch_from_hub(f"{ADDRESS}@sha256:{'0' * 64}")
    assert caught.value.exit_code == 4 and only(cache) == []
    fetch_from_hub(ADDRESS).unlink()
    before, hub.content = hub.sha256, b"others"
    with pytest.raises(WeightsError, match=f"{before}, got {hub.sha256}.*{ADDRESS}@sha256:HEX"):
        fetch_from_hub(ADDRESS)
    assert only(cache) == ["net.safetensors.sha256"]
    fetch_from_hub(f"{ADDRESS}@sha256:{hub.sha256.upper()}")  # said on purpose
    assert fetch_from_hub(ADDRESS).read_bytes() == b"others"


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("hf://owner/repo", "expected hf://OWNER/REPO/FILE"),
        ("hf://owner/repo/../../x.safetensors", "expected hf://OWNER/REPO/FILE"),
        ("hf://owner/repo/x.safetensors@sha256:12", "expected hf://OWNER/REPO/FILE"),
        ("hf://owner/repo/a.pth", "weights import hf://owner/repo/a.pth"),
        ("hf://owner/repo/a.xml", r"\.safetensors was expected"),
    ],
)
def test_what_is_no_address_of_weights_that_run_is_not_asked_for(address, sentence, hub):
    with pytest.raises(WeightsError, match=sentence):
        find_weights(address)
    assert hub.paths == []
