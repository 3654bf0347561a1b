"""The manifest: weights that are known by name, with address and hash where they are known."""

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from livepose.errors import WeightsError
from livepose.settings import parse_size
from livepose.weights.places import embedded_file

FILENAME = "manifest.toml"
BEST = "mmpose_hrnet_w32_dark_256x192"
"""What ``livepose weights fetch best`` brings."""


@dataclass(frozen=True)
class Known:
    """One published weights file.

    ``url`` is empty where the file can only be downloaded by hand; ``folder`` is then the address
    of the folder it lies in. ``sha256`` may be the whole hash or its first digits.
    """

    name: str
    file: str
    network: str
    input_hw: tuple[int, int]
    keypoints: int
    family: str
    url: str = ""
    folder: str = ""
    sha256: str = ""
    licence: str = ""
    results: str = ""
    size_mb: float = 300.0
    """What its tensors take; the largest of them 275."""

    @property
    def fetchable(self) -> bool:
        """Whether it can be downloaded without a person clicking."""
        return bool(self.url)

    @property
    def most_bytes(self) -> int:
        """Where a download ends: a file holds names and a description beside its tensors."""
        return round(1e6 * (1.05 * self.size_mb + 5))


@cache
def known_files() -> tuple[Known, ...]:
    """All entries of the manifest, in its order.

    WeightsError if the manifest is missing or broken.
    """
    path = embedded_file(FILENAME)
    if path is None:
        raise WeightsError(f"{FILENAME} is missing from this installation; install livepose again")
    try:
        return parse_manifest(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is broken ({error}); install livepose again") from None


def parse_manifest(text: str) -> tuple[Known, ...]:
    """Entries of a manifest: groups with what their files share, and the files of each."""
    entries: list[Known] = []
    for group in tomllib.loads(text)["group"]:
        shared: dict[str, Any] = {key: group[key] for key in group if key not in ("files", "base")}
        entries += [_entry({**shared, **file}, group.get("base", "")) for file in group["files"]]
    return tuple(entries)


def _entry(values: dict[str, Any], base: str) -> Known:
    size = parse_size(values.pop("input"))
    url = base + values["file"] if base else ""
    return Known(input_hw=size, url=url, **values)


def known_names() -> tuple[str, ...]:
    """Names of all entries."""
    return tuple(entry.name for entry in known_files())


def find_known(name: str) -> Known | None:
    """The entry with this name, or with this file name; ``best`` is the best HRNet-W32."""
    name = BEST if name == "best" else name
    filename = name.rsplit("/", 1)[-1]
    matches = (e for e in known_files() if name == e.name or (filename and filename == e.file))
    return next(matches, None)
