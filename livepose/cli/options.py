"""Options out of the fields of dataclasses, and the dataclasses out of what was given.

A command is a function: its parameters are its options, one by one or as a dataclass of them::

    @command("Lists cameras.")
    def cameras(measure: bool = option(True, "do not switch the cameras on")) -> None: ...

What a run's command line leaves open comes from the environment (``LIVEPOSE_MAX_PEOPLE=2``), then
from ``livepose.toml`` in the working directory or the file that ``LIVEPOSE_CONFIG`` names
(``max-people = 2``).
"""

import argparse
import difflib
import inspect
import logging
import os
import tomllib
import types
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from livepose.errors import UsageError
from livepose.settings import ONE, bounds_in_words, expected, flag_of, option

logger = logging.getLogger(__name__)
Options = TypeVar("Options")
Parser = ArgumentParser | argparse._ArgumentGroup
FILE = "livepose.toml"
SOURCES = frozenset(("paths", "camera", "video", "image", "source"))
"""Fields that name sources: those of one place count, and of one kind, not a mixture."""
NEVER_STATED = ("help", "version", "quiet", "verbose")
TRUTHS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)
PLAIN: dict[Any, str] = {int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class MessageSettings:
    """What every command says; one of them at most."""

    quiet: bool = option(False, "only warnings and errors")
    verbose: bool = option(False, "more, and when it was said")


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does, what it can be told, and what then runs."""

    help: str
    takes: Sequence[type] = ()
    """Dataclasses whose fields are its options."""
    run: Callable[[Namespace], int | None] | None = None
    """Returns the exit code, None for 0."""
    epilog: str = ""
    parts: "Mapping[str, Command]" = field(default_factory=dict)
    """What comes after its name, as in ``weights list``."""

    def register(self, parser: ArgumentParser) -> None:
        """Adds the options and the parts."""
        parser.description, parser.epilog = self.help, self.epilog
        parser.set_defaults(run=self.run)
        if self.epilog:
            parser.formatter_class = argparse.RawDescriptionHelpFormatter
        for kind in self.takes:
            add_options(parser, kind)
        group = parser.add_argument_group("messages").add_mutually_exclusive_group()
        add_options(group, MessageSettings)
        if self.parts:
            metavar = " | ".join(self.parts)
            several = parser.add_subparsers(dest="part", required=True, metavar=metavar)
            for name, part in self.parts.items():
                part.register(several.add_parser(name, help=part.help))


def command(help: str, epilog: str = "") -> Callable[[Callable[..., int | None]], Command]:
    """A function as a command: its parameters are options, or dataclasses of them."""

    def made(function: Callable[..., int | None]) -> Command:
        hints = get_type_hints(function)
        told = [(one.name, one.default) for one in inspect.signature(function).parameters.values()]
        entries = [(n, hints[n], one if isinstance(one, Field) else field()) for n, one in told]
        kind = make_dataclass(function.__name__, entries, kw_only=True)
        return Command(help, [kind], lambda given: function(**vars(options(kind, given))), epilog)

    return made


def add_options(parser: Parser, kind: type, group: argparse._ArgumentGroup | None = None) -> None:
    """Adds an option for each field of ``kind``, and of dataclasses within it as groups.

    What was not given stays out of the namespace: the dataclass alone knows its defaults.
    """
    hints = get_type_hints(kind)
    for entry in fields(kind):
        if entry.metadata:
            _add(group or parser, entry, hints[entry.name])
    for inner in _dataclasses(hints).values():
        add_options(parser, inner, parser.add_argument_group(inner.__doc__.partition(".")[0]))


def options(kind: type[Options], given: Namespace) -> Options:
    """The dataclass with what was given; its own defaults for the rest."""
    inner = _dataclasses(get_type_hints(kind))
    made = {name: options(one, given) for name, one in inner.items()}
    return kind(**(given_of(kind, given) | made))  # a field may be called as an option within


def _dataclasses(hints: Mapping[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in hints.items() if is_dataclass(one)}


def given_of(kind: type, given: Namespace) -> dict[str, Any]:
    """What was given of the fields of ``kind``."""
    chosen = {one.name: vars(given)[one.name] for one in fields(kind) if one.name in given}
    return {name: tuple(one) if isinstance(one, list) else one for name, one in chosen.items()}


def _add(parser: Parser, entry: "Field[Any]", hint: Any) -> None:
    told, flag, default = entry.metadata, flag_of(entry), entry.default
    value_type, several = _value_type(hint)
    how: dict[str, Any] = {"default": SUPPRESS, "help": told["help"].replace("%", "%%")}
    if is_flag := flag.startswith("--"):
        how["dest"] = entry.name
    if value_type is bool:
        if default is True and not told["flag"]:
            flag = flag.replace("--", "--no-", 1)
        how["action"] = "store_false" if default is True else "store_true"
        parser.add_argument(flag, **how)
        return
    if default not in (MISSING, None, "", ()) and "default" not in told["help"]:
        how["help"] += f" ({default})"
    if told["most"] is not None:
        how["help"] += f"; {bounds_in_words(told)}"
    how["type"] = _reader(told, value_type)
    if metavar := told["metavar"] or "|".join(map(str, told["choices"] or ())):
        how["metavar"] = metavar
    if told["nargs"] not in ("", ONE):
        how |= {"nargs": told["nargs"]} | ({"const": ""} if told["nargs"] == "?" else {})
    if is_flag:
        how["required"] = default is MISSING
        if several and told["nargs"] != ONE:
            how["action"] = "extend" if told["nargs"] else "append"
    parser.add_argument(flag if is_flag else entry.name, **how)


def _reader(told: Mapping[str, Any], value_type: Callable[[str], Any]) -> Callable[[str], Any]:
    """What turns the text of an option into its value, or says what was expected."""
    parse = told["parse"] or value_type

    def read(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError as error:
            wanted = told["expects"] or PLAIN.get(parse)
            said = f"expected {wanted}, got {text!r}" if wanted else str(error)
            raise ArgumentTypeError(said) from None
        if wanted := expected(told, value):
            raise ArgumentTypeError(f"expected {wanted}, got {text!r}")
        return value

    return read


def _value_type(hint: Any) -> tuple[Callable[[str], Any], bool]:
    """The type of one value, and whether there may be several."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [one for one in get_args(hint) if one is not type(None)]
        return _value_type(str if str in kinds else kinds[0])
    if get_origin(hint) is tuple:
        return _value_type(get_args(hint)[0])[0], get_args(hint)[-1] is Ellipsis
    return (hint if hint in (bool, int, float, Path) else str), False


def stated(parser: ArgumentParser, given: Namespace) -> list[str]:
    """What the environment says where nothing was given, and the file below it, as words."""
    flags = parser._option_string_actions
    known = {flag[2:]: action for flag, action in flags.items() if action.dest not in NEVER_STATED}
    variables = {name: "LIVEPOSE_" + name.upper().replace("-", "_") for name in known}
    environment = {name: os.environ[one] for name, one in variables.items() if one in os.environ}
    taken, words = {name for name, value in vars(given).items() if value != []}, []
    for values in (environment, _from_file(known)):
        taken |= SOURCES if taken & SOURCES else set()
        for name, value in values.items():
            if known[name].dest not in taken:
                words += _words(f"--{name}", value, switch=known[name].nargs == 0)
        taken |= {known[name].dest for name in values}
    if words:
        logger.info(f"by {FILE} or the environment: {' '.join(words)}")
    return words


def _words(flag: str, value: Any, *, switch: bool) -> list[str]:
    if not (switch or isinstance(value, bool)):
        return [f"{flag}={one}" for one in (value if isinstance(value, list) else [value])]
    if (text := str(value).lower()) not in TRUTHS:
        raise UsageError(f"{flag}: expected true or false, got {value!r}")
    return [flag if switch else f"{flag}="] * TRUTHS[text]


def _from_file(known: Iterable[str]) -> dict[str, Any]:
    """The values of the configuration file, by option; empty where there is none."""
    asked, found = os.environ.get("LIVEPOSE_CONFIG"), {}
    path = Path(asked or FILE)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if asked:
            raise UsageError(f"LIVEPOSE_CONFIG: {path} does not exist") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error
    for key, value in content.items():
        if (name := key.replace("_", "-")) not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; is {near[0]} meant?" if near else "; see livepose --help"
            raise UsageError(f"{path}: {key} is no option{hint}")
        found[name] = value
    return found
