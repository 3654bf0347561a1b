"""The process as livepose finds it: standard streams and the working directory."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

from livepose.errors import UsageError

_hurry = threading.Event()


def end_without_waiting() -> None:
    """Lets the process end at once when all is said: a thread is at work that cannot be stopped."""
    _hurry.set()


def end(code: int) -> int:
    """The exit code, unless the process has to end here and now."""
    if _hurry.is_set():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    return code


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
    """Refuses to work in a folder that was deleted.

    Raises
    ------
    UsageError
        When it is gone.
    """
    try:
        os.getcwd()  # noqa: PTH109 - asked only whether it is there
    except OSError as error:
        raise UsageError(
            f"the working directory cannot be used ({error.strerror}); change to another folder"
        ) from error


def flush_stdout() -> None:
    """Sends out what is left; a quiet end where its reader has gone.

    Raises
    ------
    OSError
        When it cannot be written (a full disk).
    """
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
