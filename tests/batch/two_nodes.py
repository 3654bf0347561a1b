"""Two nodes in a network of their own, one killed in the middle; prints what became of the files.

unshare -n sh -c 'ip link set lo up && python two_nodes.py IN OUT MANIFEST'
"""

import sys
import threading
import time
from functools import partial
from pathlib import Path

from batch.works import Copy

from livepose.batch.jobs import make_jobs
from livepose.batch.manifest import Manifest
from livepose.batch.ray_slots import ray_places
from livepose.batch.run import run_batch
from livepose.sources import find_sources

STORE = {"object_store_memory": 80 * 1024 * 1024}


def main(source: Path, out: Path, manifest: Manifest) -> None:
    from ray.cluster_utils import Cluster

    quiet = {"num_cpus": 1, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**quiet, "include_dashboard": False})
    victim = cluster.add_node(**quiet)
    copy = Copy(out.parent)

    def kill_in_the_middle() -> None:
        while len({process for process, _ in copy.read_notes()}) < 2 or len(manifest.entries) < 2:
            time.sleep(0.05)
        cluster.remove_node(victim, allow_graceful=False)

    copy.note("starts")
    threading.Thread(target=kill_in_the_middle, daemon=True).start()
    jobs = make_jobs(find_sources([source]))
    try:
        places = partial(ray_places, cluster.address)
        run_batch(jobs, copy, places, out, manifest, "settings")
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Manifest(Path(sys.argv[3])))
