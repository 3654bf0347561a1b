"""Systems take timed, and what is said of them is the median of their rounds."""

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np

from benchmarks.rounds import in_turn
from livepose.benchmark.rounds import Length, Round, TimedRun, spread
from livepose.benchmark.scene import WalkingPeople, endless, there_and_back
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


def test_warm_up_is_not_measured() -> None:
    sleeper = Sleeper("a", [])
    turn = TimedRun(sleeper, frames(10))
    assert turn.warm_up(4) == 4
    assert turn.round(Length.of(3))
    assert (sleeper.taken, turn.frames, turn.people) == (7, 3, [2, 2, 2])


def test_a_slow_contestants_warm_up_ends_with_its_time() -> None:
    assert TimedRun(Sleeper("a", [], 0.02), frames(100)).warm_up(100, seconds=0.05) <= 4


def test_a_round_lasts_at_least_its_seconds_and_its_frames() -> None:
    turn = TimedRun(Sleeper("a", [], 0.005), frames(1000))
    turn.round(Length(least=2, seconds=0.05))
    assert turn.rounds[0].seconds >= 0.05
    turn.round(Length(least=3, seconds=0.0))
    assert turn.rounds[1].frames == 3


def test_frames_that_have_ended_make_no_round() -> None:
    turn = TimedRun(Sleeper("a", []), frames(3))
    assert turn.round(Length.of(5))
    assert not turn.round(Length.of(5))
    assert [one.frames for one in turn.rounds] == [3]


def test_everybody_has_a_turn_in_every_round_and_who_begins_changes() -> None:
    log: list[str] = []
    timed = [TimedRun(Sleeper(name, log), frames(100)) for name in "abc"]
    assert list(in_turn(timed, 3, Length.of(1))) == [1, 2, 3]
    assert "".join(log) == "abcbcacab"


def test_the_figure_is_the_median_over_rounds_with_its_quartiles() -> None:
    turn = TimedRun(Sleeper("a", []), frames(0))
    turn.rounds = [Round(10, 1.0), Round(20, 1.0), Round(30, 1.0), Round(1, 1.0), Round(25, 1.0)]
    fps = turn.fps()
    assert (fps.median, fps.q1, fps.q3, fps.count) == (20.0, 10.0, 25.0, 5)
    assert turn.seconds == 5.0


def test_no_samples_have_no_median() -> None:
    assert np.isnan(spread([]).median)


def test_a_sleeping_contestant_is_timed_rightly() -> None:
    turn = TimedRun(Sleeper("a", [], 0.02), frames(10))
    turn.round(Length.of(10))
    assert turn.as_dict()["frame_ms"]["median"] >= 20.0
    assert turn.as_dict()["fps"]["median"] <= 50.0


def test_an_endless_scene_never_jumps_and_its_times_go_on() -> None:
    scene = list(WalkingPeople(1, 5))
    seen = list(islice(endless(scene), 20))
    assert [there_and_back(index, 5) for index in range(10)] == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1]
    assert np.allclose(np.diff([frame.time_s for frame in seen]), 1 / 30)
    assert seen[7].image_bgr is scene[1].image_bgr
    assert [there_and_back(index, 1) for index in range(3)] == [0, 0, 0]


def test_the_quartiles_lie_around_the_median() -> None:
    figure = spread([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (figure.q1, figure.median, figure.q3) == (2.0, 3.0, 4.0)
    assert figure.as_dict() == {"median": 3.0, "q1": 2.0, "q3": 4.0, "count": 5}
