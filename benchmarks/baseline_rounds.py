"""The baselines in turn, on the same frames of a number of people."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

from benchmarks.baselines import Entry, Opened
from benchmarks.plan import Plan
from benchmarks.rounds import TimedRun, lock
from livepose.benchmark.scene import WalkingPeople, endless
from livepose.errors import LiveposeError
from livepose.frame import Frame

logger = logging.getLogger(f"livepose.{__name__}")


def measure_baselines(people: int, entries: Sequence[Entry], plan: Plan) -> dict[str, Any]:
    """Everybody at this number of people; who could not be opened, with the reason."""
    opened, absent = open_all(people, entries, plan)
    drawn = list(WalkingPeople(people, plan.scene_frames))
    properties = {
        entry.key: {
            "title": entry.title,
            "weights": one.weights,
            "accuracy": one.accuracy,
            "note": one.note,
        }
        for entry, one in opened
    }
    return {
        "people": people,
        "size_wh": list(drawn[0].size_wh),
        "pixels": digest(drawn),
        "entries": properties,
        "absent": absent,
        "rows": measure_at(people, drawn, opened, plan),
    }


def open_all(
    people: int, entries: Sequence[Entry], plan: Plan
) -> tuple[list[tuple[Entry, Opened]], dict[str, Any]]:
    """Those who can take part, and why the others cannot."""
    opened, absent = [], {}
    for entry in entries:
        if plan.quick and not entry.quick:
            absent[entry.key] = {"title": entry.title, "why": "left out by --quick"}
            continue
        logger.info(f"opening {entry.title}")
        try:
            opened.append((entry, entry.open(people)))
        except LiveposeError as reason:
            logger.info(f"{entry.title}: {reason}")
            absent[entry.key] = {"title": entry.title, "why": str(reason)}
    return opened, absent


def measure_at(
    people: int, drawn: Sequence[Frame], opened: Sequence[tuple[Entry, Opened]], plan: Plan
) -> dict[str, Any]:
    """Warm-up of all, then the rounds of all in turn."""
    timed = {entry.key: TimedRun(one.system, endless(drawn)) for entry, one in opened}
    for entry, _ in opened:
        logger.info(f"{people} people: warming up {entry.title}")
        seconds = float("inf") if entry.settles else plan.warm_up_s
        timed[entry.key].warm_up(plan.warm_up_frames, seconds)
    for done in lock(list(timed.values()), plan.rounds, plan.length):
        logger.info(f"{people} people: round {done} of {plan.rounds}")
    return {key: turn.as_dict() for key, turn in timed.items()}


def digest(drawn: Sequence[Frame]) -> str:
    """A hash of the pixels that everybody sees."""
    digested = hashlib.sha256()
    for frame in drawn:
        digested.update(frame.image_bgr.tobytes())
    return digested.hexdigest()[:16]
