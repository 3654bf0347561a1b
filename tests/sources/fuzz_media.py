"""Damages small videos and images and opens what is left; run by ``test_fuzz_media.py``.

``python fuzz_media.py FOLDER SEED ROUNDS`` prints what came of it as JSON.
"""

import json
import logging
import random
import signal
import sys
from itertools import islice
from pathlib import Path

from livepose.errors import LiveposeError
from livepose.sources import Excerpt, open_source

LONGEST_S = 20
MAX_FRAMES = 40
NUMBERS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80\x00\x00\x00")


def flipped(data, chance):
    for _ in range(chance.randint(1, 40)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def damaged_head(data, chance):
    for _ in range(chance.randint(1, 6)):
        data[chance.randrange(min(len(data), 400))] = chance.randrange(256)
    return data


def cut(data, chance):
    return data[: chance.randrange(1, len(data))]


def holed(data, chance):
    start = chance.randrange(len(data))
    del data[start : start + chance.randint(1, len(data) // 3 + 1)]
    return data


def repeated(data, chance):
    start, end = sorted(chance.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:]


def numbered(data, chance):
    """Sizes and counts that are as large as can be, or nothing."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(max(1, len(data) - 4))
        data[start : start + 4] = chance.choice(NUMBERS)
    return data


PARTS = (Excerpt(), Excerpt(), Excerpt(start_s=0.2), Excerpt(end_s=0.3, step=2))
MUTATIONS = (flipped, damaged_head, cut, holed, repeated, numbered)


def outcome(path, excerpt):
    """read, refused, or what must not be."""
    signal.alarm(LONGEST_S)
    try:
        with open_source(path, excerpt=excerpt) as source:
            for frame in islice(source, MAX_FRAMES):
                assert frame.image_bgr.ndim == 3
        return "read"
    except LiveposeError as error:
        return "refused" if error.exit_code in (2, 3) and "\n" not in str(error) else repr(error)
    except TimeoutError:
        return "hang"
    except Exception as error:
        return f"traceback: {error!r}"
    finally:
        signal.alarm(0)


def peak_memory_mib() -> int:
    """Of this process alone: ``ru_maxrss`` begins with what its parent had when it forked."""
    words = Path("/proc/self/status").read_text().split()
    return int(words[words.index("VmHWM:") + 1]) // 1024


def main():
    folder, seed, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    logging.disable()
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError))
    counts, bad = {}, []
    for path in sorted(folder.iterdir()):
        for number in range(rounds):
            chance = random.Random(f"{seed} {path.name} {number}")
            mutate = chance.choice(MUTATIONS)
            data = mutate(bytearray(path.read_bytes()), chance)
            target = folder.parent / f"damaged{path.suffix}"
            target.write_bytes(data)
            came = outcome(target, PARTS[number % len(PARTS)])
            counts[came] = counts.get(came, 0) + 1
            if came not in ("read", "refused"):
                bad.append(f"{path.name} {number} {mutate.__name__}: {came}")
    peak_mib = peak_memory_mib()
    print(json.dumps({"counts": counts, "bad": bad, "peak_mib": peak_mib}))


if __name__ == "__main__":
    main()
