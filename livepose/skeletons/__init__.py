"""Skeletons: keypoint names, edges, left and right, and how precisely people label each point.

Each is a TOML file. Those in this folder are known by name: ``coco17``, ``mpii16``, ``halpe26``,
``coco_wholebody133``. Any other is named by the path of its file::

    name = "tennis6"
    keypoints = ["head", "hips", "left_hand", "right_hand", "grip", "tip"]
    edges = [["head", "hips"], ["grip", "tip"]]       # drawn as limbs
    pairs = [["left_hand", "right_hand"]]             # left first; what mirroring exchanges
    sigmas = [0.03, 0.1, 0.06, 0.06, 0.06, 0.03]      # optional: COCO's OKS sigmas
    source = "where it is from"                       # optional

All indices are 0-based. Left is the person's left.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livepose.errors import UsageError

SHIPPED = ("coco17", "mpii16", "halpe26", "coco_wholebody133")
SUFFIX = ".toml"
MIDDLING_SIGMA = 0.07
"""OKS sigma where a skeleton has none: about the mean of COCO's, which are 0.025 to 0.107."""
_ENTRIES = ("name", "keypoints", "edges", "pairs", "sigmas", "source")


@dataclass(frozen=True)
class Skeleton:
    """Keypoint names in order, limbs as index pairs, mirrored pairs, and OKS sigmas if known."""

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    flip_pairs: tuple[tuple[int, int], ...]
    oks_sigmas: tuple[float, ...] | None = None

    def __hash__(self) -> int:
        """Of the name alone, which is quicker than of all that the skeleton says."""
        return hash(self.name)

    @property
    def flip_permutation(self) -> tuple[int, ...]:
        """For each keypoint the index of its mirror image (itself where there is none)."""
        order = list(range(len(self.keypoints)))
        for left, right in self.flip_pairs:
            order[left], order[right] = right, left
        return tuple(order)

    @property
    def sigmas_or_middling(self) -> tuple[float, ...]:
        """The OKS sigmas; where none are known, a middling one for each keypoint."""
        return self.oks_sigmas or (MIDDLING_SIGMA,) * len(self.keypoints)

    def to_dict(self) -> dict[str, Any]:
        """The entries of its file."""
        names = self.keypoints
        entries: dict[str, Any] = {
            "name": self.name,
            "keypoints": list(names),
            "edges": [[names[first], names[second]] for first, second in self.limbs],
            "pairs": [[names[left], names[right]] for left, right in self.flip_pairs],
        }
        return entries | ({"sigmas": list(self.oks_sigmas)} if self.oks_sigmas else {})


def from_dict(entries: Mapping[str, Any], what: str) -> Skeleton:
    """The skeleton that the entries of the file ``what`` describe; UsageError if they cannot be."""

    def want(holds: object, sentence: str) -> None:
        if not holds:
            raise UsageError(f"{what}: {sentence}")

    for entry in entries:
        want(entry in _ENTRIES, f"unknown entry {entry!r}; known are {', '.join(_ENTRIES)}")
    name: Any = entries.get("name")
    keypoints: Any = entries.get("keypoints")
    want(isinstance(name, str) and name, f'expected an entry name = "...", got {name!r}')
    want(_are(keypoints, str) and keypoints, f"expected keypoints = [names], got {keypoints!r}")
    for one, count in Counter(keypoints).items():
        want(count == 1, f"expected names that differ, got the keypoint {one!r} twice")

    def indices(entry: str) -> tuple[tuple[int, int], ...]:
        rows = entries.get(entry, [])
        want(isinstance(rows, list), f"expected {entry} = [[name, name], ...], got {rows!r}")
        for row in rows:
            two = _are(row, str) and len(row) == len(set(row)) == 2
            want(two, f"{entry}: expected two different names, got {row!r}")
            for one in row:
                want(one in keypoints, f"{entry}: there is no keypoint {one!r}")
        return tuple((keypoints.index(first), keypoints.index(second)) for first, second in rows)

    limbs, pairs = indices("edges"), indices("pairs")
    for index, count in Counter(end for pair in pairs for end in pair).items():
        both = keypoints[index]
        want(count == 1, f"expected each keypoint in one pair at most, got {both!r} in two")
    sigmas, joints = entries.get("sigmas"), len(keypoints)
    if sigmas is not None:
        likely = _are(sigmas, int | float) and len(sigmas) == joints
        likely = likely and all(0 < sigma < 1 for sigma in sigmas)
        want(likely, f"expected {joints} sigmas between 0 and 1, got {sigmas!r}")
        sigmas = tuple(float(sigma) for sigma in sigmas)
    return Skeleton(name, tuple(keypoints), limbs, pairs, sigmas)


def _are(values: Any, kind: Any) -> bool:
    return isinstance(values, list) and all(
        isinstance(one, kind) and not isinstance(one, bool) for one in values
    )


class Skeletons(dict[str, Skeleton]):
    """The known skeletons by name; those that are asked for by a path are read and known then.

    UsageError where there is no such name or file, or it says something that cannot be.
    """

    def __missing__(self, name: str) -> Skeleton:
        if name in SHIPPED:
            self[name] = _read(Path(__file__).with_name(name + SUFFIX))
            return self[name]
        if str(name).endswith(SUFFIX):
            return self.add(_read(Path(name)), str(name))
        known = ", ".join(dict.fromkeys([*SHIPPED, *self]))
        raise UsageError(f"skeleton: expected one of {known}, or a {SUFFIX} file, got {name!r}")

    def add(self, skeleton: Skeleton, what: str) -> Skeleton:
        """Makes a skeleton known by its name; UsageError when another one has it."""
        name = skeleton.name
        if (name in self or name in SHIPPED) and self[name] != skeleton:
            raise UsageError(
                f"{what} calls itself {name!r}, and so does another skeleton; rename it"
            )
        self[name] = skeleton
        return skeleton


def _read(path: Path) -> Skeleton:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"skeleton {path} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"skeleton {path} is not TOML: {error}") from None
    return from_dict(entries, str(path))


SKELETONS = Skeletons()
COCO17 = SKELETONS["coco17"]
MPII16 = SKELETONS["mpii16"]
