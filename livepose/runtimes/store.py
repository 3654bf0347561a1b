"""What is kept of a network from one start to the next: graphs, compiled networks, measurements.

One folder a network, named by what its file holds, never by what the file says of itself. Each
file in it is believed only with its hash. Where the cache cannot be written they lie among
temporary files; where nothing can, the network is converted and compiled at each start.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from livepose.errors import WeightsError
from livepose.files import file_sha256, read_cached, temporary_folder, write_cached
from livepose.weights.places import cache_folder

KEPT_FILES = 64
"""So many are kept, those used last: a network has about ten, of up to 100 MB each."""

logger = logging.getLogger(__name__)


def content_hash(path: Path) -> str:
    """SHA-256 of the bytes of a network's file; WeightsError when it cannot be read."""
    try:
        return file_sha256(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None


class Store:
    """The folder of one network, called ``name`` for people.

    ``depends_on`` is whatever is kept depends on: the hash of the network's file, versions.
    """

    def __init__(self, name: str, *depends_on: str) -> None:
        self._place = Path("networks") / f"{name}-{_digest(*depends_on)}"
        self.folder = cache_folder() / self._place

    def read(self, name: str) -> memoryview | None:
        """The file of this name; None where it is not, or is not what was written."""
        for folder in self._folders():
            with suppress(OSError):
                content = read_cached(folder / name)
                with suppress(OSError):  # a cache made at installation, by somebody else
                    (folder / name).touch()
                return content
        return None

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Keeps a file, and forgets what was not used for longest; without a place, it goes."""
        for folder in self._folders():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_cached(folder / name, content)
            except OSError as error:
                _say_unkept(folder.parent.parent, error.strerror or str(error))
                continue
            with suppress(OSError):  # another process was quicker
                files = sorted(folder.parent.glob("*/*"), key=lambda path: path.stat().st_mtime)
                for path in files[:-KEPT_FILES]:
                    path.unlink()
            return

    def fact(self, name: str, find_out: Callable[[], Any]) -> Any:
        """A small fact about the network, as JSON has it: found out once, then kept."""
        file = f"{_digest(name)}.json"
        kept = self.read(file)
        if kept is None:
            found = json.dumps(find_out()).encode()
            self.write(file, found)
            return json.loads(found)
        return json.loads(bytes(kept))

    def _folders(self) -> Iterator[Path]:
        """Where a file may be: in the cache, and where that cannot be written elsewhere."""
        yield self.folder
        with suppress(OSError):
            yield temporary_folder() / self._place


def _digest(*words: str) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:20]


@cache
def _say_unkept(folder: Path, reason: str) -> None:
    """Says once that a later start may have to convert everything again."""
    logger.warning(
        f"{folder} cannot be written ({reason}): converted networks go among temporary files; set "
        "LIVEPOSE_CACHE to a folder that can be"
    )
