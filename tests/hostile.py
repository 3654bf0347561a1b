"""Files that somebody made wrong, by seed: mutated JSON and mutated bytes."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

from livepose.errors import DataError

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**400, 1e308, float("nan"), float("inf"), "", "7", "../up", "a\0b",
    [], {}, [[]], [None], ["x"], {"id": 1}, [1] * 51, [[1, 2, 2]] * 17,
)  # fmt: skip


def mutated(document: Any, seed: int) -> Any:
    """A copy with one to three places deleted, doubled, or replaced by something odd."""
    rng, changed = random.Random(seed), copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        found = list(places(changed))
        if not found:
            break
        holder, key = rng.choice(found)
        action = rng.random()
        if action < 0.2:
            del holder[key]
        elif action < 0.3 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD))
    return changed


def places(value: Any, depth: int = 4) -> Iterator[tuple[Any, Any]]:
    """Every container with a key of it, down to a depth."""
    if depth == 0 or not isinstance(value, (dict, list)):
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        yield from places(value[key], depth - 1)


def damaged(content: bytes, seed: int) -> bytes:
    """Bytes cut short, with bits flipped, or with a stretch written over."""
    rng, data = random.Random(seed), bytearray(content)
    if rng.random() < 0.3:
        del data[rng.randrange(len(data)) :]
    for _ in range(rng.randint(0 if len(data) < len(content) else 1, 8)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.2:
        start = rng.randrange(len(data) + 1)
        data[start : start + 16] = rng.randbytes(16)
    return bytes(data)


def refused(read: Callable[[], Any], errors: Any = DataError) -> bool:
    """Whether it is refused in one sentence; anything but that is raised."""
    try:
        read()
    except errors as error:
        assert 0 < len(str(error)) < 1500
        return True
    return False
