"""Requests as nobody's browser would send them, bundles, and waiting for what happens."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import count

from pythonosc.osc_bundle import OscBundle


def get(port: int, path: str, headers: Mapping[str, str] = {}) -> tuple[int, dict, bytes]:
    """Status, headers and body of one request."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)) as connection:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        said = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, said, answer.read()


def messages(data: bytes) -> dict[str, list]:
    """The messages of an OSC bundle by address, read by python-osc."""
    return {one.address: one.params for one in OscBundle(data)}


def wait_for(true: Callable[[], object], limit_s: float = 5.0) -> None:
    """Waits until that is true; fails when it takes longer."""
    end_s = time.perf_counter() + limit_s
    while not true():
        assert time.perf_counter() < end_s
        time.sleep(0.01)


@contextmanager
def repeating(work: Callable[[int], object], every_s: float = 0.02) -> Iterator[None]:
    """Does the work with 0, 1, 2, ... in a thread of its own."""
    stop = threading.Event()

    def run() -> None:
        for index in count():
            if stop.wait(every_s):
                return
            work(index)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
