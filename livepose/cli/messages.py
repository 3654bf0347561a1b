"""What livepose says while it works: one handler, to stderr. Results alone go to stdout."""

import logging
import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from livepose.settings import option


@dataclass(frozen=True)
class MessageSettings:
    """What is said; one of them at most."""

    quiet: bool = option(False, "only warnings and errors")
    verbose: bool = option(False, "more, and when it was said")


class Messages(logging.Handler):
    """Writes ``livepose: ...`` to stderr as it is now; whoever does not listen misses it."""

    def __init__(self, with_time: bool = False) -> None:
        super().__init__()
        self._started_s = time.perf_counter() if with_time else None

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        since = ""
        if self._started_s is not None:
            since = f"{time.perf_counter() - self._started_s:7.2f} s  "
        try:
            print(f"livepose: {since}{record.getMessage()}", file=sys.stderr, flush=True)
            if record.exc_info:
                traceback.print_exception(record.exc_info[1])
        except (OSError, ValueError):
            # Nobody reads any more, or the disk is full; the work goes on, and at its end the
            # interpreter must not fail to send what is left.
            sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def show_messages(quiet: bool = False, verbose: bool = False) -> None:
    """Shows what the package says: warnings alone when ``quiet``, everything when ``verbose``."""
    logger = logging.getLogger("livepose")
    for handler in [one for one in logger.handlers if isinstance(one, Messages)]:
        logger.removeHandler(handler)
    logger.addHandler(Messages(with_time=verbose))
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
