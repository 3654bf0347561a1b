"""The command line: one file a command; errors become one sentence and an exit code."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from livepose.errors import INTERRUPTED_EXIT_CODE, LiveposeError

COMMANDS = {
    "calibrate": "livepose.cli.calibrate",
    "cameras": "livepose.cli.cameras",
    "decode": "livepose.cli.decode",
    "demo": "livepose.cli.demo",
    "doctor": "livepose.cli.doctor",
    "eval": "livepose.cli.evaluate",
    "plot": "livepose.cli.plot",
    "quantise": "livepose.cli.quantise",
    "train": "livepose.cli.train",
    "weights": "livepose.cli.weights",
}
"""Commands by name; without one of them the pipeline runs."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code (0 done ... 130 Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    return guarded(lambda: _dispatch(words))


def guarded(action: Callable[[], int]) -> int:
    """What ``action`` returns; errors become one sentence and an exit code."""
    try:
        return action()
    except LiveposeError as error:
        print(f"livepose: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("livepose: stopped by Ctrl-C", file=sys.stderr)
        return INTERRUPTED_EXIT_CODE
    except BrokenPipeError:
        # Whoever read our output has gone: a quiet end, also for the interpreter's last flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(words: list[str]) -> int:
    from argparse import ArgumentParser

    if words and words[0] in COMMANDS:
        parser = ArgumentParser(prog="livepose")
        module = import_module(COMMANDS[words[0]])
        module.register(parser.add_subparsers(dest="command", required=True))
    else:
        parser = ArgumentParser(prog="livepose")
        module = import_module("livepose.cli.run")
        module.register(parser, COMMANDS)
    return int(module.run(parser.parse_args(words)))
