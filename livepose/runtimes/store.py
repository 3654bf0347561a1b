"""What is kept of a network from one start to the next: graphs, compiled networks, measurements.

One folder a network, named by what its file holds, never by what the file says of itself. Each
file in it is believed only with its hash. Where nothing can be written nothing is kept: the
network is then converted and compiled at each start.
"""

import hashlib
import json
import logging
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from livepose.errors import WeightsError
from livepose.kept import read_kept, write_kept
from livepose.weights.places import cache_folder

KEPT_NETWORKS, KEPT_COMPILED = 8, 12
COMPILED = ".blob"

logger = logging.getLogger(__name__)


def content_hash(*paths: Path) -> str:
    """SHA-256 of the bytes of a network's files.

    Raises
    ------
    WeightsError
        When one cannot be read.
    """
    digest = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise WeightsError(f"{path} cannot be read: {error}") from None
    return digest.hexdigest()


class Store:
    """The folder of one network.

    Parameters
    ----------
    name : str
        For people.
    *facts : str
        Whatever the converted network depends on: the hash of its file, versions.
    """

    def __init__(self, name: str, *facts: str) -> None:
        digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
        self.folder = cache_folder() / "networks" / f"{name}-{digest[:20]}"

    def read(self, name: str) -> memoryview | None:
        """The file of this name; None where it is not, or is not what was written."""
        path = self.folder / name
        try:
            content = read_kept(path)
            path.touch()
        except OSError:
            return None
        return content

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Keeps a file, and forgets what was not used for longest; without a place, it goes."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_kept(self.folder / name, content)
            self._prune()
        except OSError as error:
            say_unkept(str(self.folder.parent.parent), error.strerror or str(error))

    def read_facts(self) -> dict[str, Any]:
        """Small facts about the network; empty where there are none."""
        content = self.read("facts.json")
        return {} if content is None else dict(json.loads(bytes(content)))

    def write_facts(self, **facts: Any) -> None:
        """Adds to the facts."""
        self.write("facts.json", json.dumps({**self.read_facts(), **facts}).encode())

    def _prune(self) -> None:
        self.folder.touch()
        for path in _oldest(self.folder.glob(f"*{COMPILED}"), KEPT_COMPILED):
            path.unlink(missing_ok=True)
        for folder in _oldest(self.folder.parent.iterdir(), KEPT_NETWORKS):
            shutil.rmtree(folder, ignore_errors=True)


def _oldest(paths: Any, kept: int) -> list[Path]:
    """All but those used last."""
    times: list[tuple[float, Path]] = []
    for path in paths:
        try:
            times.append((path.stat().st_mtime, path))
        except OSError:  # another process was quicker
            continue
    return [path for _, path in sorted(times, reverse=True)[kept:]]


@cache
def say_unkept(folder: str, reason: str) -> None:
    """Says once that each start takes longer than it has to."""
    logger.warning(
        "%s cannot be written (%s): networks are converted and compiled at each start; set "
        "LIVEPOSE_CACHE to a folder that can be",
        *(folder, reason),
    )
