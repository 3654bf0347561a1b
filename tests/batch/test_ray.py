"""Ray: two nodes in one network namespace, one of them killed in the middle."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from batch.works import contents_of

from livepose.batch.manifest import read_manifest
from livepose.batch.ray_slots import ray_places
from livepose.errors import DeviceError, UsageError

ROOT = Path(__file__).parents[2]


def in_own_network(words: list[str]) -> list[str]:
    return ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *words]


def can_have_own_network() -> bool:
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run(in_own_network(["true"]), capture_output=True).returncode == 0


@pytest.mark.slow
def test_a_node_that_is_killed_loses_no_file_and_changes_no_byte(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    if not can_have_own_network():
        pytest.skip("a network namespace needs unshare, ip, and the right to use them")
    source, out, manifest = tmp_path / "in", tmp_path / "out", tmp_path / "run.jsonl"
    source.mkdir()
    texts = {str(index): f"slow 0.5 clip {index} " + "x" * index for index in range(6)}
    for name, text in texts.items():
        (source / f"{name}.mp4").write_text(text)
    (source / "broken.mp4").write_text("broken clip")
    words = [sys.executable, str(Path(__file__).with_name("two_nodes.py"))]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(
        in_own_network([*words, str(source), str(out), str(manifest)]),
        env=environment, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]

    entries = read_manifest(manifest)
    assert len(manifest.read_text().splitlines()) == 7
    states = {Path(entry.source).stem: entry.state for entry in entries.values()}
    assert states == {**dict.fromkeys(texts, "done"), "broken": "failed"}
    again = [entry for entry in entries.values() if entry.tries > 1]
    assert again, "the node was killed while it had a file"
    (node,) = {loss.split("node ")[1][:8] for entry in again for loss in entry.lost}
    assert all(node not in entry.where for entry in again)

    assert contents_of(out) == {
        **{f"{name}.txt": text.upper().encode() for name, text in texts.items()},
        **{f"{name}.parts/1": text.encode() for name, text in texts.items()},
    }


def test_a_cluster_that_is_not_there_and_a_missing_package_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("ray")
    with pytest.raises(DeviceError, match="there is no Ray cluster at nonsense"):
        ray_places("nonsense").__enter__()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'livepose\[ray\]'"):
        ray_places("local").__enter__()
