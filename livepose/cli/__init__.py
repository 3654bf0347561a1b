"""The command line: one file a command; errors become one sentence and an exit code."""

import logging
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType

from livepose.cli.messages import add_message_options, show_messages
from livepose.cli.surroundings import (
    check_working_directory,
    end,
    fill_closed_streams,
    flush_stdout,
)
from livepose.errors import INTERRUPTED_EXIT_CODE, DeviceError, LiveposeError, SinkError

logger = logging.getLogger(__name__)

COMMANDS = {
    "calibrate": "livepose.cli.calibrate",
    "cameras": "livepose.cli.cameras",
    "completion": "livepose.cli.completion",
    "decode": "livepose.cli.decode",
    "demo": "livepose.cli.demo",
    "doctor": "livepose.cli.doctor",
    "eval": "livepose.cli.evaluate",
    "export": "livepose.cli.export",
    "plot": "livepose.cli.plot",
    "quantise": "livepose.cli.quantise",
    "train": "livepose.cli.train",
    "weights": "livepose.cli.weights",
}
"""Commands by name; without one of them the pipeline runs."""

EXTRA_OF = {
    "torch": "torch",
    "ultralytics": "torch",
    "onnx": "export",
    "matplotlib": "eval",
    "pycocotools": "eval",
    "scipy": "eval",
    "trackeval": "eval",
}
"""Packages that not every installation has, and the extra that brings each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (0 done ... 130 Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    fill_closed_streams()
    return guarded(lambda: _dispatch(words))


def program() -> None:
    """``main`` as a process of its own."""
    end(main())


def guarded(action: Callable[[], int]) -> int:
    """What ``action`` returns; errors become one sentence and an exit code."""
    show_messages()
    try:
        check_working_directory()
        code = action()
        flush_stdout()
        return code
    except LiveposeError as error:
        logger.error(str(error))
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name not in EXTRA_OF:
            raise
        logger.error(
            f"this needs {error.name}, which is not installed; install it with "
            f"\"pip install 'livepose[{EXTRA_OF[error.name]}]'\""
        )
        return DeviceError.exit_code
    except KeyboardInterrupt as error:
        logger.error(f"stopped by {error.args[0] if error.args else 'Ctrl-C'}")
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read our output has gone: a quiet end, also for the interpreter's last flush.
        flush_stdout()
        return 0
    except OSError as error:
        logger.debug("", exc_info=True)
        logger.error(f"{error.filename or 'stdout'}: {error.strerror or error}")
        return SinkError.exit_code


def _dispatch(words: list[str]) -> int:
    command = words[0] if words and words[0] in COMMANDS else None
    arguments = parser_of(command).parse_args(words)
    show_messages(getattr(arguments, "quiet", False), getattr(arguments, "verbose", False))
    return int(_module(command).run(arguments))


def _module(command: str | None) -> ModuleType:
    return import_module("livepose.cli.run" if command is None else COMMANDS[command])


def parser_of(command: str | None) -> ArgumentParser:
    """The parser of a command, or of a run."""
    parser = ArgumentParser(prog="livepose")
    if command is None:
        _module(command).register(parser, COMMANDS)
    else:
        _module(command).register(parser.add_subparsers(dest="command", required=True))
    for each in with_subparsers(parser):
        add_message_options(each)
    return parser


def with_subparsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """The parser and, after it, those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for each in action.choices.values():
                yield from with_subparsers(each)
