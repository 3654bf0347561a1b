"""How many files a minute, by workers; and what a killed node costs.

    python -m studies.workers throughput FOLDER --markdown workers.md --plot workers.png
    unshare --net sh -c 'ip link set lo up && python -m studies.workers killed FOLDER'

The second needs the right to make a network namespace: it starts a Ray cluster of two nodes there,
kills one once two files are done, and compares the outputs with those of a run alone.
"""

import os
import shlex
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from livepose.batch.manifest import Entry, content_sha256, read_manifest
from livepose.cli import guarded
from livepose.errors import GateError, LiveposeError, SourceError, UsageError
from livepose.evaluation.report import figure_with, require_writable, save, write_text
from livepose.machine import processor_and_cores, usable_cores

STORE_BYTES = 80 * 1024 * 1024
KILLED_AFTER_FILES = 2
SAMPLED_EVERY_S = 0.1


@dataclass(frozen=True)
class Measured:
    """One run over the folder."""

    workers: int
    ray: bool
    seconds: float
    processor_s: float
    entries: Mapping[str, Entry]

    @property
    def files_a_minute(self) -> float:
        """Loading included."""
        return 60 * len(self.entries) / self.seconds

    @property
    def row(self) -> str:
        """A line of the table."""
        kind = "Ray, one node" if self.ray else "processes"
        return (
            f"| {kind} | {self.workers} | {len(self.entries)} | {self.seconds:.1f}"
            f" | {self.processor_s:.1f} | {self.files_a_minute:.1f} |"
        )


def command(folder: Path, out: Path, more: Sequence[str]) -> list[str]:
    """Livepose on that folder."""
    return [
        *(sys.executable, "-m", "livepose", str(folder), "--output-dir", str(out / "results")),
        *("--json", "--angles", "--manifest", str(out / "run.jsonl"), *more),
    ]


def finish(words: Sequence[str]) -> float:
    """Runs a command; broken files among the others are no failure.

    Returns the seconds of processor time that it and all that it started took.
    """
    used: dict[tuple[int, float], float] = {}
    with tempfile.TemporaryFile("w+") as said:
        running = psutil.Popen(words, stderr=said)
        while running.poll() is None:
            with suppress(psutil.Error):
                for one in (running, *running.children(recursive=True)):
                    times = one.cpu_times()
                    used[one.pid, one.create_time()] = times.user + times.system
            time.sleep(SAMPLED_EVERY_S)
        said.seek(0)
        if running.returncode not in (0, SourceError.exit_code):
            raise LiveposeError(f"{' '.join(words)} failed: {said.read().strip()[-500:]}")
    return sum(used.values())


def run_once(options: Namespace, workers: int, ray: bool) -> Measured:
    """One run, from the start of the program to its end."""
    with tempfile.TemporaryDirectory(prefix="livepose-workers-") as folder:
        more = [*options.more, "--workers", str(workers), *(["--ray", "local"] if ray else [])]
        start_s = time.perf_counter()
        words = command(options.folder, Path(folder), more)
        processor_s = finish(words)
        seconds = time.perf_counter() - start_s
        return Measured(
            workers, ray, seconds, processor_s, read_manifest(Path(folder) / "run.jsonl")
        )


def throughput(options: Namespace) -> int:
    """Measures plain workers and Ray's."""
    counts = options.workers or sorted({1, 2, usable_cores()})
    run_once(options, 1, ray=False)  # fills the caches
    runs = [run_once(options, count, ray) for ray in (False, True) for count in counts]
    load = os.getloadavg()[1]
    head = [
        f"{processor_and_cores()}, load {load:.1f} over the last five minutes."
        " Seconds from the start of the program to its end, loading included.",
        "",
        "| Workers are | Workers | Files | Seconds | Processor, s | Files a minute |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    write_text(options.markdown, "\n".join([*head, *(one.row for one in runs)]))
    if options.plot is not None:
        plot(runs, options.plot)
    return 0


def plot(runs: Sequence[Measured], path: Path) -> None:
    """Files a minute over workers."""
    figure, [axis] = figure_with(1)
    for ray, label in ((False, "processes"), (True, "Ray, one node")):
        own = [one for one in runs if one.ray == ray]
        axis.plot(
            [one.workers for one in own], [one.files_a_minute for one in own], "o-", label=label
        )
    axis.set(xlabel="workers", ylabel="files a minute", ylim=(0, None))
    axis.set_xticks(sorted({one.workers for one in runs}))
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    save(figure, path)


def killed(options: Namespace) -> int:
    """Two nodes, one of them killed; then the same alone."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="livepose-nodes-") as folder:
        both, alone = Path(folder) / "both", Path(folder) / "alone"
        for place in (both, alone):
            place.mkdir()
        node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        victim = cluster.add_node(**node)

        def kill() -> None:
            while not _lines(both / "run.jsonl") >= KILLED_AFTER_FILES:
                time.sleep(0.1)
            cluster.remove_node(victim, allow_graceful=False)

        threading.Thread(target=kill, daemon=True).start()
        words = command(options.folder, both, [*options.more, "--ray", cluster.address])
        start_s = time.perf_counter()
        finish(words)
        seconds = time.perf_counter() - start_s
        cluster.shutdown()
        finish(command(options.folder, alone, options.more))
        write_text(options.markdown, story(both, alone, seconds))
    return 0


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def story(both: Path, alone: Path, seconds: float) -> str:
    """What the manifest tells; GateError where the outputs differ."""
    entries = read_manifest(both / "run.jsonl").values()
    if content_sha256(both / "results") != content_sha256(alone / "results"):
        raise GateError("the outputs differ from those of a run alone")
    rows = [
        f"| {Path(one.source).name} | {one.state} | {one.tries} | {one.seconds:.1f}"
        f" | {_node(one.where)} | {'; '.join(_node(loss) for loss in one.lost)} |"
        for one in entries
    ]
    head = [
        f"{len(entries)} files in {seconds:.0f} s; every output has the bytes of a run alone.",
        "",
        "| File | State | Tries | Seconds | Done by node | Lost on node |",
        "| --- | --- | ---: | ---: | --- | --- |",
    ]
    return "\n".join([*head, *rows])


def _node(where: str) -> str:
    return where.partition("node ")[2][:8]


def main(words: Sequence[str] | None = None) -> int:
    """Measures workers, or kills a node."""
    parser = ArgumentParser(
        prog="python -m studies.workers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("what", choices=("throughput", "killed"))
    parser.add_argument("folder", type=Path, help="short clips")
    parser.add_argument("--workers", type=int, nargs="+", help="1, 2 and the cores unless given")
    parser.add_argument("--markdown", default="-", metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--more", default=[], type=shlex.split, help='such as --more="--end 1"')
    options = parser.parse_args(words)

    def run() -> int:
        if not options.folder.is_dir():
            raise UsageError(f"{options.folder}: expected a folder of short clips")
        require_writable([options.markdown, options.plot])
        return (throughput if options.what == "throughput" else killed)(options)

    return guarded(run)


if __name__ == "__main__":
    sys.exit(main())
