"""Systems take turns in rounds, and what is said of them is the median of their rounds."""

import time
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace

import numpy as np

from benchmarks.rounds import Length, Livepose, TimedRun, lock
from benchmarks.table import clips_table
from livepose.benchmark.run import spread
from livepose.benchmark.scene import WalkingPeople, endless
from livepose.frame import Frame

BLANK = np.zeros((4, 4, 3), dtype=np.uint8)


class Sleeper:
    """Takes a known time for each frame, and notes whose turn it was."""

    def __init__(self, name: str, log: list[str], seconds: float = 0.0) -> None:
        self.name, self.log, self.seconds, self.taken = name, log, seconds, 0

    def before_round(self) -> None:
        self.log.append(self.name)

    def take(self, frame: Frame) -> int:
        self.taken += 1
        time.sleep(self.seconds)
        return 2


def frames(count: int) -> Iterator[Frame]:
    return (Frame(BLANK, index / 30, index) for index in range(count))


def test_warm_up_is_not_measured_and_ends_with_its_time():
    sleeper = Sleeper("a", [], 0.02)
    turn = TimedRun(sleeper, frames(100))
    turn.warm_up(100, seconds=0.05)
    warmed = sleeper.taken
    assert warmed <= 4
    turn.round(Length(most=3, least=3))
    assert (sleeper.taken - warmed, turn.people) == (3, [2, 2, 2])
    assert turn.as_dict()["frame_ms"]["median"] >= 20.0
    assert turn.as_dict()["fps"]["median"] <= 50.0


def test_a_round_lasts_its_seconds_and_its_frames_and_no_frames_make_none():
    turn = TimedRun(Sleeper("a", [], 0.005), frames(14))
    turn.round(Length(least=2, seconds=0.05))
    assert sum(turn.frame_ms) >= 50
    for _ in range(3):
        turn.round(Length(least=100, seconds=1.0))
    assert len(turn.rounds_fps) == 2


def test_everybody_has_a_turn_in_every_round_and_the_figure_is_the_median():
    log: list[str] = []
    timed = [TimedRun(Sleeper(name, log), frames(100)) for name in "abc"]
    assert list(lock(timed, 3, Length(most=1))) == [1, 2, 3]
    assert "".join(log) == "abcbcacab"  # who begins changes
    assert spread([1.0, 2.0, 3.0, 4.0, 100.0]) == {"median": 3.0, "q1": 2.0, "q3": 4.0, "count": 5}


def test_an_endless_scene_never_jumps_and_its_times_go_on():
    scene = list(WalkingPeople(1, 5))
    seen = list(islice(endless(scene), 10))
    assert np.allclose(np.diff([frame.time_s for frame in seen]), 1 / 30)
    for frame, index in zip(seen, (0, 1, 2, 3, 4, 3, 2, 1, 0, 1), strict=True):
        assert frame.image_bgr is scene[index].image_bgr


def test_the_frames_in_which_the_detector_ran_are_told_of_each_clip():
    stages_ms = [{"detect": 3.0}, {"detect": 0.01}, {}, {"detect": 2.0, "track": 1.0}]
    system = Livepose(SimpleNamespace(clock=SimpleNamespace(frames_ms=stages_ms)))
    own = {
        "people_found": 2.0,
        "fps": spread([30.0]),
        "detected_percent": system.detected_percent(),
    }
    part = {"clips": {"walk": {"livepose": own}}, "titles": {"livepose": "livepose"}, "absent": {}}
    assert "| detector ran | 50 % of frames |" in clips_table(part)
