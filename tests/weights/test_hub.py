"""Files of the Hugging Face hub, from a stand-in for its library."""

import hashlib
import json
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from livepose.errors import WeightsError
from livepose.settings import Settings
from livepose.weights import hub
from livepose.weights.hub import fetch_from_hub, pins_path
from livepose.weights.places import cache_folder, find_weights

ADDRESS = "hf://owner/repo/sub/net.safetensors"
COMMIT = "c0ffee"


class Hub(ModuleType):
    """What the library does with one file in the world."""

    def __init__(self, content: bytes) -> None:
        super().__init__("huggingface_hub")
        self.__spec__ = ModuleSpec("huggingface_hub", None)
        self.content = content
        self.size: int | None = len(content)
        self.fault: Callable[[], object] = lambda: None
        self.asked: list[tuple[str, str, Any]] = []

    def hf_hub_url(self, repository: str, file: str) -> str:
        return f"https://hub/{repository}/{file}"

    def get_hf_file_metadata(self, url: str, *, timeout: float) -> SimpleNamespace:
        assert timeout == hub.TIMEOUT_S
        return SimpleNamespace(size=self.size, commit_hash=COMMIT)

    def hf_hub_download(
        self, repository: str, file: str, *, revision: str, local_dir: Path, etag_timeout: float
    ) -> str:
        self.fault()
        self.asked.append((repository, file, revision))
        path = local_dir / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        return str(path)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@pytest.fixture(autouse=True)
def online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("LIVEPOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LIVEPOSE_OFFLINE", raising=False)
    monkeypatch.delenv("YOLO_OFFLINE", raising=False)
    made = Hub(b"weights")
    monkeypatch.setitem(sys.modules, "huggingface_hub", made)
    return made


def files() -> list[str]:
    return [path.name for path in cache_folder().rglob("*") if path.is_file()]


def test_a_file_is_fetched_once_and_its_hash_told_and_remembered(
    online: Hub, said: list[str]
) -> None:
    path = find_weights(ADDRESS)
    assert path.read_bytes() == b"weights" and path.name == "net.safetensors"
    assert online.asked == [("owner/repo", "sub/net.safetensors", COMMIT)]
    assert f"{ADDRESS}@sha256:{online.sha256}" in said[-1]
    assert json.loads(pins_path().read_text()) == {ADDRESS: online.sha256}
    told = len(said)
    assert find_weights(ADDRESS) == path and len(online.asked) == 1 and len(said) == told
    assert sorted(files()) == ["hub_pins.json", "net.safetensors"]


def test_another_file_under_a_remembered_address_is_refused_and_deleted(online: Hub) -> None:
    fetch_from_hub(ADDRESS).unlink()
    before, online.content = online.sha256, b"others"
    with pytest.raises(WeightsError, match=f"{online.sha256}, and {before} was expected") as caught:
        fetch_from_hub(ADDRESS)
    assert f"{ADDRESS}@sha256:{online.sha256}" in str(caught.value)
    assert files() == ["hub_pins.json"]
    fetch_from_hub(f"{ADDRESS}@sha256:{online.sha256}")  # said on purpose
    assert fetch_from_hub(ADDRESS).read_bytes() == b"others"


def test_a_file_that_was_changed_in_the_cache_is_fetched_again(online: Hub) -> None:
    path = fetch_from_hub(ADDRESS)
    path.write_bytes(b"changed")
    assert fetch_from_hub(ADDRESS).read_bytes() == b"weights" and len(online.asked) == 2


def test_a_hash_in_the_address_is_verified(online: Hub) -> None:
    right, wrong = (f"{ADDRESS}@sha256:{digits}" for digits in (online.sha256.upper(), "0" * 64))
    with pytest.raises(WeightsError, match=r"0000 was expected; it was deleted$") as caught:
        fetch_from_hub(wrong)
    assert caught.value.exit_code == 4 and files() == []
    assert fetch_from_hub(right).read_bytes() == b"weights"


def test_offline_only_the_cache_is_looked_into(
    online: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match="not on this machine"):
        find_weights(ADDRESS, offline=True)
    monkeypatch.setenv("LIVEPOSE_OFFLINE", "1")
    with pytest.raises(WeightsError, match="not on this machine"):
        find_weights(ADDRESS)
    assert online.asked == []
    monkeypatch.delenv("LIVEPOSE_OFFLINE")
    path = find_weights(ADDRESS)
    assert find_weights(ADDRESS, offline=True) == path


def test_the_pipeline_passes_on_that_it_is_offline(online: Hub) -> None:
    from livepose.pipeline import PosePipeline

    with pytest.raises(WeightsError, match="not on this machine"):
        PosePipeline(Settings(weights=ADDRESS, detector="none", device="cpu", offline=True))
    assert online.asked == []


def test_without_the_library_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "huggingface_hub")
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match=r"pip install 'livepose\[hub\]'") as caught:
        find_weights(ADDRESS)
    assert caught.value.exit_code == 4


def test_what_is_too_large_or_takes_too_long_is_given_up(
    online: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "MOST_BYTES", 6)
    with pytest.raises(WeightsError, match="has 7 bytes; at most 6"):
        fetch_from_hub(ADDRESS)
    assert online.asked == []
    online.size = None  # not told, and found out when it is here
    with pytest.raises(WeightsError, match="has 7 bytes; at most 6"):
        fetch_from_hub(ADDRESS)
    assert files() == []
    over = threading.Event()
    online.fault = over.wait
    monkeypatch.setattr(hub, "LIMIT_S", 0.05)
    with pytest.raises(WeightsError, match=r"not there within 0\.05 s"):
        fetch_from_hub(ADDRESS)
    over.set()


def test_whatever_the_library_raises_becomes_one_sentence(online: Hub) -> None:
    def fault() -> None:
        raise RuntimeError("401 Client Error\nCannot access gated repo")

    online.fault = fault
    with pytest.raises(WeightsError, match=r"net.safetensors cannot be fetched \(401 Client Err"):
        fetch_from_hub(ADDRESS)


@pytest.mark.parametrize(
    "address",
    [
        "hf://",
        "hf://owner/repo",
        "hf://owner/repo/../../x.safetensors",
        "hf://../repo/x.safetensors",
        "hf://owner/repo/x.safetensors@sha256:12",
        "hf://owner/repo/x.safetensors@main",
        "hf://owner/repo//x.safetensors",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(WeightsError, match="expected hf://OWNER/REPO/FILE"):
        find_weights(address)


@pytest.mark.parametrize(
    ("file", "sentence"),
    [("a.pth", "weights import hf://owner/repo/a.pth"), ("a.xml", "more than one file")],
)
def test_what_cannot_be_run_as_it_is_is_not_fetched(file: str, sentence: str, online: Hub) -> None:
    with pytest.raises(WeightsError, match=sentence):
        find_weights(f"hf://owner/repo/{file}")
    assert online.asked == []


def test_pins_that_are_broken_are_told(online: Hub) -> None:
    for text in ("{", "[]", '{"a": 1}'):
        pins_path().parent.mkdir(exist_ok=True)
        pins_path().write_text(text)
        with pytest.raises(WeightsError, match="mend or delete it"):
            fetch_from_hub(ADDRESS)
