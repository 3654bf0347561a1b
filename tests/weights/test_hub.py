"""Files of the Hugging Face hub, from a stand-in for its server."""

import pytest
from weights.server import Server

from livepose.errors import WeightsError
from livepose.weights.fetching import fetch_from_hub
from livepose.weights.places import cache_folder, find_weights

ADDRESS = "hf://owner/repo/sub/net.safetensors"


@pytest.fixture(autouse=True)
def online(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("HF_ENDPOINT", server.host)
    server.content = b"weights"
    return server


def files() -> list[str]:
    return sorted(path.name for path in cache_folder().rglob("*") if path.is_file())


def test_a_file_is_fetched_once_and_its_hash_told_and_remembered(
    online: Server, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    path = find_weights(ADDRESS)
    assert path.read_bytes() == b"weights" and path.name == "net.safetensors"
    assert online.paths == ["/owner/repo/resolve/main/sub/net.safetensors"]
    assert online.tokens == ["Bearer hf_x"]
    assert f"{ADDRESS}@sha256:{online.sha256}" in said[-1]
    told = len(said)
    assert find_weights(ADDRESS) == find_weights(ADDRESS, offline=True) == path
    assert len(online.paths) == 1 and len(said) == told
    assert files() == ["net.safetensors", "net.safetensors.sha256"]
    path.write_bytes(b"changed")
    assert fetch_from_hub(ADDRESS).read_bytes() == b"weights" and len(online.paths) == 2


def test_another_file_than_the_remembered_or_the_named_one_is_refused_and_deleted(
    online: Server,
) -> None:
    with pytest.raises(WeightsError, match=r"0000, got .*it was deleted$") as caught:
        fetch_from_hub(f"{ADDRESS}@sha256:{'0' * 64}")
    assert caught.value.exit_code == 4 and files() == []
    fetch_from_hub(ADDRESS).unlink()
    before, online.content = online.sha256, b"others"
    with pytest.raises(WeightsError, match=f"{before}, got {online.sha256}.*{ADDRESS}@sha256:HEX"):
        fetch_from_hub(ADDRESS)
    assert files() == ["net.safetensors.sha256"]
    fetch_from_hub(f"{ADDRESS}@sha256:{online.sha256.upper()}")  # said on purpose
    assert fetch_from_hub(ADDRESS).read_bytes() == b"others"


def test_offline_nobody_is_asked(online: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="not on this machine"):
        find_weights(ADDRESS, offline=True)
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="not on this machine"):
        find_weights(ADDRESS)
    assert online.paths == []


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
def test_what_is_no_address_of_weights_that_run_is_not_asked_for(
    address: str, sentence: str, online: Server
) -> None:
    with pytest.raises(WeightsError, match=sentence):
        find_weights(address)
    assert online.paths == []
