"""Ray: two nodes in one network namespace, one of them killed in the middle.

Run as a program it is what happens there: python test_ray.py IN OUT MANIFEST.
"""

import logging
import os
import shlex
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from batch.works import Copy, contents_of, jobs_of

from livepose.batch.manifest import Manifest, read_manifest
from livepose.batch.places import ray_places
from livepose.batch.run import run_batch
from livepose.errors import DeviceError, UsageError

ROOT = Path(__file__).parents[2]
QUIET = {"num_cpus": 1, "object_store_memory": 80 * 1024 * 1024}
IN_OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def kill_one_of_two_nodes(source: Path, out: Path, manifest: Manifest) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**QUIET, "include_dashboard": False})
    victim = cluster.add_node(**QUIET)
    copy = Copy(out.parent)
    copy.note("loads")

    def kill_in_the_middle() -> None:
        begun = done = 0
        while done < 2 or begun < done + 2:  # then each node has a file
            time.sleep(0.05)
            done = len(manifest.entries)
            begun = sum(what != "loads" for _, what in copy.read_notes())
        cluster.remove_node(victim, allow_graceful=False)

    heard = logging.Handler()  # it says when a worker is lost
    heard.emit = lambda record: (copy.notes / "killed").touch()  # type: ignore[method-assign]
    logging.getLogger("livepose.batch.run").addHandler(heard)

    threading.Thread(target=kill_in_the_middle, daemon=True).start()
    places = partial(ray_places, cluster.address)
    try:
        run_batch(jobs_of(source), copy, places, out, manifest, "settings")
    finally:
        cluster.shutdown()


@pytest.mark.slow
def test_a_node_that_is_killed_loses_no_file_and_changes_no_byte(tmp_path):
    pytest.importorskip("ray")
    trial = ["sh", "-c", f"{shlex.join(IN_OWN_NETWORK)} true"]
    if subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("a network namespace needs unshare, ip, and the right to use them")
    source, out, manifest = tmp_path / "in", tmp_path / "out", tmp_path / "run.jsonl"
    texts = {str(index): f"until killed clip {index}" for index in range(4)}
    texts |= {name: f"of the first two, as it is large: {name}" for name in "ab"}
    jobs_of(source, **texts, broken="broken clip")
    done = subprocess.run(
        [*IN_OWN_NETWORK, sys.executable, __file__, str(source), str(out), str(manifest)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True, text=True, timeout=240,
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


def test_a_cluster_that_is_not_there_and_a_missing_package_are_said(monkeypatch):
    pytest.importorskip("ray")
    with pytest.raises(DeviceError, match="there is no Ray cluster at nonsense"):
        ray_places("nonsense").__enter__()
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'livepose\[ray\]'"):
        ray_places("local").__enter__()


if __name__ == "__main__":
    kill_one_of_two_nodes(Path(sys.argv[1]), Path(sys.argv[2]), Manifest(Path(sys.argv[3])))
