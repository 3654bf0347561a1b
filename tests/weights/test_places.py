"""Names and paths lead to files, and what is not there is said with the way to get it."""

import tempfile
from pathlib import Path

import pytest

from livepose.errors import WeightsError
from livepose.weights import places
from livepose.weights.card import require_file
from livepose.weights.manifest import find_known, known_files
from livepose.weights.places import cache_folder, find_weights

DEFAULT = "pose_hrnet_w32_128x96"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder of what is embedded."""
    monkeypatch.setattr(places, "embedded_folder", lambda: tmp_path / "own")
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def test_names_are_looked_for_among_the_embedded_and_then_in_the_cache(own, cache):
    with pytest.raises(WeightsError, match=r"embedded pose weights .* install livepose again"):
        find_weights("default")
    (cache / "weights").mkdir(parents=True)
    for path in (own / DEFAULT, own / "a", cache / "weights" / "a", cache / "weights" / "b"):
        path.with_suffix(".safetensors").touch()
    assert find_weights("default") == find_weights(DEFAULT) == own / f"{DEFAULT}.safetensors"
    assert find_weights("a") == own / "a.safetensors"
    for name in ("b", "b.safetensors"):
        assert find_weights(name) == cache / "weights" / "b.safetensors"
    (own / "mine.onnx").touch()
    assert find_weights(str(own / "mine.onnx")) == own / "mine.onnx"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no/such.safetensors", "there is no weights file no/such.safetensors"),
        ("mmpose_hrnet_w32_256x192", "weights fetch mmpose_hrnet_w32_256x192"),
        ("mmpose_hrnet_w32_256x129", "did you mean 'mmpose_hrnet_w32_256x192'"),
        ("a.pth", r"weights import .*a\.pth"),
        ("a.txt", "does not look like weights"),
        ("folder", "is a folder"),
        ("x" * 300, "no weights"),
    ],
)
def test_what_is_not_there_or_no_weights_is_said_with_the_way_to_get_it(
    name, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for there in ("a.pth", "a.txt"):
        Path(there).touch()
    Path("folder").mkdir()
    with pytest.raises(WeightsError, match=sentence):
        find_weights(name)
    with pytest.raises(WeightsError, match="no weights file"):
        require_file(Path("x" * 300 + name))


def test_the_cache_follows_the_environment_and_the_platform(tmp_path, cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("LIVEPOSE_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "livepose"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "livepose"
    monkeypatch.setattr(Path, "home", lambda: Path("~who").expanduser())  # which is an error
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cache_folder().parent == tmp_path
    with pytest.raises(WeightsError, match=r"no weights file ~nobody/x.safetensors"):
        find_weights("~nobody/x.safetensors")


def test_the_manifest_knows_every_published_file_once(shared):
    entries = known_files()
    assert len({entry.name for entry in entries}) == len(entries) > 60
    for entry in entries:
        assert bool(entry.url) != bool(entry.folder) and entry.keypoints in (16, 17), entry.name
        if entry.url:
            assert entry.url.startswith("https://") and entry.url.endswith(entry.file)
            assert len(entry.sha256) == 8 and entry.sha256 in entry.file
        assert "{}x{}".format(*entry.input_hw) in entry.name
    text = (shared / "golden" / "checkpoints.md").read_text()
    listed = {part for part in text.split("`") if part.endswith(".pth") and "_20" in part}
    assert listed and listed <= {entry.file for entry in entries}
    entry, best = find_known("mmpose_hrnet_w32_udp_256x192"), find_known("best")
    assert entry is not None and entry.family == "mmpose-udp" and find_known(entry.file) == entry
    assert best is not None and best.network == "hrnet_w32" and best.url
    assert find_known("") is None and find_known("no such") is None
