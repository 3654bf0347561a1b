"""The process as livepose finds it: standard streams, the working directory, signals."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from livepose.errors import UsageError

AT_WORK = frozenset(("prefetch", "getting ready", "drawing"))
"""Names of threads that may be inside a library, which nothing can break off."""


def end(code: int) -> None:
    """Ends the process with this exit code.

    At once where a thread is still at work in a library: the interpreter would take away what that
    thread stands on, and crash. Every output is closed by then.
    """
    if not any(thread.name in AT_WORK and thread.daemon for thread in threading.enumerate()):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def fill_closed_streams() -> None:
    """Puts the null device where a standard stream is closed.

    The next file that is opened would take its number, and what libraries print would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - open to the end


def check_working_directory() -> None:
    """Refuses to work in a folder that was deleted."""
    try:
        os.getcwd()  # noqa: PTH109 - asked only whether it is there
    except OSError as error:
        raise UsageError(
            f"the working directory cannot be used ({error.strerror}); change to another folder"
        ) from error


def flush_stdout() -> None:
    """Sends out what is left; a quiet end where its reader has gone."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        # The interpreter flushes once more at its end and would complain.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError | ValueError):
            raise


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
