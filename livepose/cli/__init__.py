"""The command line: one file a command; errors become one sentence and an exit code."""

import logging
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType

import livepose
from livepose.cli.messages import MessageSettings, show_messages
from livepose.cli.options import add_options, options
from livepose.cli.process import (
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
    name = words[0] if words and words[0] in COMMANDS else None
    arguments = parser_of(name).parse_args(words if name is None else words[1:])
    said = options(MessageSettings, arguments)
    show_messages(said.quiet, said.verbose)
    return int(_module(name).run(arguments))


def _module(name: str | None) -> ModuleType:
    return import_module("livepose.cli.run" if name is None else COMMANDS[name])


def parser_of(name: str | None) -> ArgumentParser:
    """The parser of a command, or of a run."""
    parser = ArgumentParser(prog="livepose" if name is None else f"livepose {name}")
    _module(name).COMMAND.register(parser)
    if name is None:
        parser.epilog = f"{parser.epilog}\nother commands: {', '.join(COMMANDS)}"
        version = f"livepose {livepose.__version__}"
        parser.add_argument("--version", action="version", version=version)
    for each in with_subparsers(parser):
        group = each.add_argument_group("messages").add_mutually_exclusive_group()
        add_options(group, MessageSettings)
    return parser


def with_subparsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """The parser and, after it, those of its parts."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for each in action.choices.values():
                yield from with_subparsers(each)
