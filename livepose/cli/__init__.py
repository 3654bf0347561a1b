"""The command line: each command is one ``Command``; errors become a sentence and an exit code."""

import io
import logging
import os
import signal
import sys
import threading
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TextIO

import livepose
from livepose.cli.options import Command, MessageSettings, options, stated
from livepose.errors import (
    INTERRUPTED_EXIT_CODE,
    DeviceError,
    LiveposeError,
    SinkError,
    UsageError,
)

logger = logging.getLogger(__name__)

COMMANDS = {
    "calibrate": "evaluate.calibrate",
    "cameras": "small.cameras",
    "completion": "small.completion",
    "demo": "small.demo",
    "doctor": "doctor.doctor",
    "eval": "evaluate.EVAL",
    "export": "weights.export",
    "plot": "small.plot",
    "quantise": "evaluate.quantise",
    "train": "train.TRAIN",
    "weights": "weights.WEIGHTS",
}
"""Where each command is; without one of them the pipeline runs."""
RUN = "run.run"

EXTRAS = {
    "torch": ("torch", "ultralytics"),
    "export": ("onnx",),
    "plot": ("matplotlib",),
    "eval": ("pycocotools", "scipy", "trackeval"),
}
"""What an installation may lack, by the extra that brings it."""
AT_WORK = frozenset(("prefetch", "getting ready", "drawing"))
"""Names of threads that may be inside a library, which nothing can break off."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (0 done ... 130 Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    _fill_closed_streams()

    def run() -> int | None:
        given = given_by(words)
        code: int | None = given.run(given)
        return code

    return guarded(run)


def program() -> None:
    """``main`` as a process of its own."""
    end(main())


def end(code: int) -> None:
    """Ends the process with this exit code.

    At once where a thread is still at work in a library: the interpreter would take away what that
    thread stands on, and crash. Every output is closed by then.
    """
    if AT_WORK.isdisjoint(thread.name.partition("_")[0] for thread in threading.enumerate()):
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def guarded(action: Callable[[], int | None]) -> int:
    """What ``action`` returns; errors become one sentence and an exit code."""
    show_messages()
    try:
        _require_folder()
        with _ends_like_ctrl_c():
            code = action() or 0
        _flush_stdout()
        return code
    except LiveposeError as error:
        said, code = str(error), error.exit_code
    except ModuleNotFoundError as error:
        extra = next((extra for extra, names in EXTRAS.items() if error.name in names), None)
        if extra is None:
            raise
        said = f"this needs {error.name}, which is not installed; install it with "
        said, code = f"{said}\"pip install 'livepose[{extra}]'\"", DeviceError.exit_code
    except KeyboardInterrupt as error:
        said = f"stopped by {error.args[0] if error.args else 'Ctrl-C'}"
        code = INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read our output has gone: a quiet end, also for the interpreter's last flush.
        _flush_stdout()
        return 0
    except OSError as error:
        logger.debug("", exc_info=True)
        said, code = f"{error.filename or 'stdout'}: {error.strerror or error}", SinkError.exit_code
    logger.error(said)
    return code


def _require_folder() -> None:
    try:
        Path.cwd()
    except OSError as error:
        why = f"the working directory cannot be used ({error.strerror})"
        raise UsageError(f"{why}; change to another folder") from error


def given_by(words: list[str]) -> Namespace:
    """What a command is told; a run also by the environment and the configuration file."""
    name = words[0] if words and words[0] in COMMANDS else None
    words, parser = words if name is None else words[1:], parser_of(name)
    given = parser.parse_args(words)
    said = options(MessageSettings, given)
    show_messages(said.quiet, said.verbose)
    return given if name else parser.parse_args([*stated(parser, given), *words])


def command_of(name: str | None) -> Command:
    """The command of that name; a run where there is none."""
    module, _, attribute = (RUN if name is None else COMMANDS[name]).partition(".")
    command: Command = getattr(import_module(f"livepose.cli.{module}"), attribute)
    return command


def parser_of(name: str | None) -> ArgumentParser:
    """The parser of a command, or of a run."""
    parser = ArgumentParser(prog="livepose" if name is None else f"livepose {name}")
    command_of(name).register(parser)
    if name is None:
        parser.epilog = f"{parser.epilog}\nother commands: {', '.join(COMMANDS)}"
        version = f"livepose {livepose.__version__}"
        parser.add_argument("--version", action="version", version=version)
    return parser


def _fill_closed_streams() -> None:
    """Puts the null device where a standard stream is closed.

    The next file that is opened would take its number, and what libraries print would go into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if isinstance(sys.stdout, io.TextIOWrapper):  # names that are not UTF-8, and small alphabets
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - open to the end


def _flush_stdout() -> None:
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


@contextmanager
def _ends_like_ctrl_c() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP interrupt, once; one that is ignored (nohup) stays so."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []  # signals are the main thread's
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # nothing may break off what is being finished
    raise KeyboardInterrupt(signal.Signals(number).name)


class Messages(logging.StreamHandler[TextIO]):
    """Writes ``livepose: ...`` to stderr as it is now; whoever does not listen misses it."""

    stream = property(lambda self: sys.stderr)

    def __init__(self, with_time: bool = False) -> None:
        logging.Handler.__init__(self)
        time = "%(asctime)s  " if with_time else ""
        self.setFormatter(logging.Formatter(f"livepose: {time}%(message)s"))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nobody reads any more, or the disk is full: the work goes on.

        At its end the interpreter must not fail to send what is left.
        """
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def show_messages(quiet: bool = False, verbose: bool = False) -> None:
    """Shows what the package says: warnings alone when ``quiet``, everything when ``verbose``."""
    logger = logging.getLogger("livepose")
    others = [one for one in logger.handlers if not isinstance(one, Messages)]
    logger.handlers = [*others, Messages(with_time=verbose)]
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO)
