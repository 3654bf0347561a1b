"""Memory stays flat; the long run is ``python -m benchmarks.memory``."""

from benchmarks.memory import measure


def test_memory_stays_flat_while_people_come_and_go():
    # The grey image does not change where somebody leaves, so that propagation would keep them.
    told = measure(300, at_once=4, pose_every_frame=True)
    assert told["frames"] == 300
    assert told["people_in_all"] >= 6
    assert told["growth"] < 0.02
