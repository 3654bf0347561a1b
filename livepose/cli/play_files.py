"""Many files: each to its end, with outputs of its own name, by this process or by others."""

import logging
import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import livepose
from livepose.batch.jobs import Job, make_jobs, shard
from livepose.batch.manifest import DONE, Entry, Manifest, content_sha256, text_sha256
from livepose.batch.places import HERE, Place, process_places, ray_places
from livepose.batch.run import Work, run_batch
from livepose.cli import show_messages
from livepose.cli.play import open_player, warming_up
from livepose.cli.progress import files_progress
from livepose.cli.run_options import BatchOptions, RunOptions
from livepose.cli.start import Stream
from livepose.detection.load import detector_file
from livepose.errors import SourceError, UsageError
from livepose.pipeline import PosePipeline
from livepose.runtimes.select import automatic_files
from livepose.settings import Settings
from livepose.sinks.sink import check_file, refuse_existing, written
from livepose.sources import find_sources, open_images, open_video
from livepose.sources.open import left_out_words
from livepose.weights.places import find_weights

logger = logging.getLogger(__name__)


def play_files(options: RunOptions) -> int:
    """Does every file that is missing or changed; 3 where some could not be done."""
    batch, folder = options.batch, options.batch.output_dir or Path()
    part = batch.shard or (1, 1)
    manifest = Manifest(batch.manifest, part)
    found = find_sources(options.sources.named(), recursive=batch.recursive)
    if words := left_out_words(one for one in found if one.kind is None):
        logger.info(words)
    jobs = shard(make_jobs(found), *part)
    settings = _settings_sha256(options)
    due = manifest.due(jobs, settings, folder)
    unchanged = set(jobs) - set(due)
    inputs, owned = {Path(p).resolve() for job in jobs for p in job.paths}, manifest.owned_outputs()
    for job in due:
        named = options.outputs.named_by(folder / job.name, job.kind)
        for path in (*map(Path, named.asked().values()), *named.more()):
            if path.resolve() in inputs:
                raise UsageError(f"{path} is an input itself; choose another --output-dir")
            # What no manifest knows is not replaced.
            if not options.outputs.overwrite and str(path.relative_to(folder)) not in owned:
                refuse_existing(path)
    with written(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if manifest.path is not None:
        check_file(manifest.path, overwrite=True)
    sizes, before = {job.source: job.size for job in jobs}, [job.source for job in unchanged]
    with files_progress(sizes, before) as told:
        is_here = batch.ray is None and batch.workers == 1
        opener = PlayEach(options, told if is_here else None)
        places, note = partial(_open_places, batch), partial(_note, told)
        entries = run_batch(due, opener, places, folder, manifest, settings, on_done=note)
    done = sum(entry.state == DONE for entry in entries)
    counts = {
        "done": done,
        "unchanged since an earlier run": len(unchanged),
        "failed": len(entries) - done,
    }
    said = ", ".join(f"{files} {word}" for word, files in counts.items() if files)
    logger.info(said if manifest.path is None else f"{said}; noted in {manifest.path}")
    return 0 if done == len(entries) else SourceError.exit_code


def _settings_sha256(options: RunOptions) -> str:
    """Of everything that outputs depend on beside the files."""
    sources = options.sources
    return text_sha256(
        {
            "version": livepose.__version__,
            "settings": asdict(options.settings),
            "weights": _weights_sha256(options.settings),
            "outputs": asdict(replace(options.outputs, overwrite=False)),
            "look": asdict(options.style),
            "excerpt": [sources.start_s, sources.end_s, sources.step, sources.turn_deg],
        }
    )


def _weights_sha256(settings: Settings) -> list[str | None]:
    """Of both networks' files; of all that ``auto`` may take."""
    weights, offline = str(settings.weights), settings.offline
    found = detector_file(str(settings.detector), offline)
    poses = automatic_files() if weights == "auto" else [find_weights(weights, offline=offline)]
    return [*map(content_sha256, poses), None if found is None else content_sha256(found)]


def _open_places(batch: BatchOptions) -> AbstractContextManager[Sequence[Place]]:
    """Where the work is done."""
    if batch.ray is not None:
        return ray_places(batch.ray, batch.workers)
    return nullcontext([HERE]) if batch.workers == 1 else process_places(batch.workers)


@dataclass(frozen=True, slots=True)
class PlayEach:
    """Loads the networks once, and plays one file after the other."""

    options: RunOptions
    told: Callable[[str, float], Any] | None = None
    """Hears how much of a source is done; in this process only."""

    def __call__(self) -> Work:
        """The work of one process."""
        if multiprocessing.parent_process() is not None:
            show_messages(quiet=True)
        with warming_up(self.options.draws()):
            pipeline = PosePipeline(self.options.settings)
            pipeline.warm_up()
        return partial(self._play, pipeline)

    def _play(self, pipeline: PosePipeline, job: Job, folder: Path) -> None:
        options, sources = self.options, self.options.sources
        outputs = options.outputs.named_by(folder / Path(job.name).name, job.kind)
        with (
            open_images(list(job.paths), rotate=sources.turn_deg)
            if job.kind == "images"
            else open_video(job.paths[0], rotate=sources.turn_deg, excerpt=sources.excerpt)
        ) as source:
            stream = Stream(replace(options, outputs=outputs), source)
            # The same file gives the same bytes, whenever that is.
            player = open_player(stream, pipeline, dated=False)
            if (frames := source.frame_count) and (told := self.told):
                player.progress = lambda frame, *_: told(
                    job.source, min(frame.index / frames, 0.99)
                )
            player.play()


def _note(told: Callable[[str, float], str], entry: Entry) -> None:
    """Says what became of a file."""
    files = told(entry.source, 1.0)
    where = "".join(f"; lost before: {loss}" for loss in entry.lost)
    if entry.error is not None:
        named = "" if entry.error.startswith(entry.source) else f"{entry.source}: "
        logger.error(f"{named}{entry.error}{where}")
    else:
        logger.info(f"{files}: {entry.source} in {entry.seconds:.1f} s{where}")
