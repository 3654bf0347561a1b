"""What is kept of a network from one start to the next: graphs, compiled networks, measurements.

One folder a network, named by what its file holds, never by what the file says of itself. Each
file in it is believed only with its hash. Where the cache cannot be written they lie among
temporary files; where nothing can, the network is converted and compiled at each start.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from livepose.errors import WeightsError
from livepose.kept import read_kept, temporary_folder, write_kept
from livepose.weights.places import cache_folder

KEPT_NETWORKS, KEPT_COMPILED = 8, 12
COMPILED = ".blob"
PROPERTIES = "facts.json"

logger = logging.getLogger(__name__)


def content_hash(path: Path) -> str:
    """SHA-256 of the bytes of a network's file; WeightsError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None


class Store:
    """The folder of one network, called ``name`` for people.

    ``depends_on`` is whatever the converted network depends on: the hash of its file, versions.
    """

    def __init__(self, name: str, *depends_on: str) -> None:
        digest = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()
        self._place = Path("networks") / f"{name}-{digest[:20]}"
        self.folder = cache_folder() / self._place

    def read(self, name: str) -> memoryview | None:
        """The file of this name; None where it is not, or is not what was written."""
        for folder in self._folders():
            with suppress(OSError):
                content = read_kept(folder / name)
                with suppress(OSError):  # a cache made at installation, by somebody else
                    (folder / name).touch()
                return content
        return None

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Keeps a file, and forgets what was not used for longest; without a place, it goes."""
        for folder in self._folders():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_kept(folder / name, content)
                _prune(folder)
            except OSError as error:
                say_unkept(str(folder.parent.parent), error.strerror or str(error))
            else:
                return

    def fact(self, name: str, find_out: Callable[[], Any]) -> Any:
        """A small fact about the network, as JSON has it: found out once, then kept."""
        properties = self._properties()
        if name not in properties:
            found = find_out()
            properties = {**self._properties(), name: found}
            self.write(PROPERTIES, json.dumps(properties).encode())
        return properties[name]

    def _properties(self) -> dict[str, Any]:
        content = self.read(PROPERTIES)
        return {} if content is None else dict(json.loads(bytes(content)))

    def _folders(self) -> Iterator[Path]:
        """Where a file may be: in the cache, and where that cannot be written elsewhere."""
        yield self.folder
        with suppress(OSError):
            yield temporary_folder() / self._place


def _prune(folder: Path) -> None:
    folder.touch()
    for path in _oldest(folder.glob(f"*{COMPILED}"), KEPT_COMPILED):
        path.unlink(missing_ok=True)
    for unused in _oldest(folder.parent.iterdir(), KEPT_NETWORKS):
        shutil.rmtree(unused, ignore_errors=True)


def _oldest(paths: Iterable[Path], kept: int) -> list[Path]:
    """All but those used last."""
    times: list[tuple[float, Path]] = []
    for path in paths:
        with suppress(OSError):  # another process was quicker
            times.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(times, reverse=True)[kept:]]


@cache
def say_unkept(folder: str, reason: str) -> None:
    """Says once that a later start may have to convert everything again."""
    logger.warning(
        f"{folder} cannot be written ({reason}): converted networks go among temporary files; set "
        "LIVEPOSE_CACHE to a folder that can be"
    )
