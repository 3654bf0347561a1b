"""SIGTERM and SIGHUP end a run as Ctrl-C does: every output is finished first."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stopped(KeyboardInterrupt):
    """Somebody ended the run by a signal; its name is the argument."""


@contextmanager
def ends_like_ctrl_c() -> Iterator[None]:
    """Within it these signals interrupt, once; one that is ignored (nohup) stays so."""
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    earlier: dict[int, Any] = {number: signal.signal(number, _interrupt) for number in ours}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # nothing may break off what is being finished
    raise Stopped(signal.Signals(number).name)
