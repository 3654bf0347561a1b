"""The command ``livepose weights``, as a user calls it."""

import re

import pytest
import torch
from safetensors.torch import save_file
from weights.conftest import small_state, written

from livepose.cli import parser_of
from livepose.errors import WeightsError
from livepose.files import file_sha256
from livepose.weights import Card, fetching, manifest
from livepose.weights.checkpoint import save_checkpoint
from livepose.weights.manifest import Known, find_known


def run(*words):
    given = parser_of("weights").parse_args(words)
    return given.run(given) or 0


def saved(folder, name="mine"):
    path = folder / f"{name}.safetensors"
    save_checkpoint(path, {"a": torch.ones(3)}, Card("hrnet_w32", (128, 96), source="me"))
    return path


@pytest.fixture
def official(tmp_path):
    return written(tmp_path / "site" / "net_256x192.pth", small_state())


def test_list_shows_what_is_here_and_what_is_known(cache, capsys):
    saved(cache / "weights")
    (cache / "weights" / "broken.safetensors").write_bytes(b"x")
    assert run("list") == 0
    out = capsys.readouterr().out
    assert "mine" in out and "hrnet_w32" in out and "cache" in out and "damaged" in out
    assert re.search(r"person_yolo11n +│ detector +│ 320x320 ", out)
    entry = find_known("mmpose_hrnet_w32_256x192")
    assert entry is not None and entry.name in out and "AP 74.9" in out
    assert "by hand" in out


def test_show_and_verify_tell_good_files_from_damaged_ones(tmp_path, cache, capsys):
    good, bad = saved(tmp_path, "good"), saved(cache / "weights", "bad")
    save_file({"a": torch.ones(2)}, cache / "weights" / "without.safetensors")
    bad.write_bytes(bad.read_bytes()[:-1] + b"1")
    assert run("show", str(good)) == run("verify", str(good)) == 0
    out = capsys.readouterr().out
    assert "hrnet_w32" in out and "good.safetensors: ok" in out
    with pytest.raises(WeightsError, match=r"bad\.safetensors .* it is damaged"):
        run("show", "bad")
    for names in ([], ["bad"]):
        with pytest.raises(WeightsError, match=r"damaged weights: bad\.safetensors"):
            run("verify", *names)
    assert "without.safetensors: states no hash" in capsys.readouterr().out


def test_fetch_downloads_imports_and_makes_the_name_usable(
    server, official, cache, monkeypatch, said, capsys
):
    server.content = official.read_bytes()
    entry = Known(
        *("short_name", official.name, "resnet50", (256, 192), 17, "simple-baseline", server.url),
        sha256=file_sha256(official)[:8],
    )
    monkeypatch.setattr(manifest, "known_files", lambda: (entry,))
    assert run("fetch", "short_name") == 0
    assert (cache / "weights" / "short_name.safetensors").is_file()
    assert "use it with --weights short_name" in said[-1]
    assert run("show", "short_name") == 0
    out = capsys.readouterr().out
    assert "resnet50" in out and "256x192" in out and "sha256" in out


def test_what_cannot_be_fetched_says_what_to_do():
    with pytest.raises(WeightsError, match="there are no weights named"):
        run("fetch", "nothing like it")
    with pytest.raises(WeightsError, match=r"by hand: get pose_hrnet_w32_256x192\.pth from https"):
        run("fetch", "hrnet_w32_256x192")


def test_files_are_imported_into_the_cache_and_those_of_the_hub_are_brought_in(
    official, tmp_path, cache, monkeypatch, said
):
    here = {"hf://a/b/net_256x192.pth": official, "hf://a/b/mine.safetensors": saved(tmp_path)}
    monkeypatch.setattr(fetching, "fetch_from_hub", lambda address, **_: here[address])
    assert run("import", "hf://a/b/net_256x192.pth", "--family", "simple-baseline") == 0
    assert (cache / "weights" / "net_256x192.safetensors").is_file()
    assert "resnet50, 256x192, 17 keypoints" in said[-1] and "--weights net_256x192" in said[-1]
    assert run("fetch", "hf://a/b/mine.safetensors") == 0
    assert "use it with --weights hf://a/b/mine.safetensors" in said[-1]
    with pytest.raises(WeightsError, match="livepose weights import"):
        run("fetch", "hf://a/b/net_256x192.pth")
