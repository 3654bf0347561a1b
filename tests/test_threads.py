"""Work that runs ahead or behind keeps its order, its bounds and its errors."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from livepose.threads import BACKGROUND_NICENESS, BackgroundWriter, OneAtATime, prefetch


def test_items_come_in_order_no_more_than_the_depth_ahead_and_then_the_error():
    taken, got = [], []

    def items():
        for number in range(100):
            taken.append(number)
            yield number
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        for number in prefetch(items(), depth=3):
            if number == 10:
                time.sleep(0.1)
            assert len(taken) <= number + 1 + 3 + 1
            got.append(number)
    assert got == list(range(100))


def test_a_reader_that_leaves_stops_the_thread():
    before = threading.active_count()
    reader = prefetch(iter(int, 1), depth=2)
    next(reader)
    reader.close()
    assert threading.active_count() == before


def test_an_error_in_a_worker_is_raised_and_never_hangs():
    def work(number):
        raise OSError("disk full")

    worker = BackgroundWriter(work, depth=1)
    with pytest.raises(OSError, match="disk full"):
        for number in range(100):
            worker.put(number)


def test_what_is_used_by_several_threads_is_used_one_at_a_time():
    lock, inside, most = OneAtATime("this"), [], []

    def use():
        for _ in range(50):
            with lock, lock:
                inside.append(1)
                most.append(len(inside))
                time.sleep(0)
                inside.pop()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(use)
    assert most == [1] * 200


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities for threads")
def test_what_is_written_beside_gives_way_to_inference():
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own, seen = niceness(), []
    writer = BackgroundWriter(lambda _: seen.append(niceness()), depth=1)
    writer.put(None)
    writer.close()
    assert seen == [max(own, BACKGROUND_NICENESS)]
    assert niceness() == own
