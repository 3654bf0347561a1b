"""Options of the command line out of the fields of a dataclass, and the dataclass out of them."""

import types
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
    _ArgumentGroup,
)
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from livepose.settings import ONE, expected, flag_of

Options = TypeVar("Options")


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does, and what it can be told."""

    help: str
    takes: Sequence[type | tuple[str, type]] = ()
    """Dataclasses whose fields are its options; some below a title of their own."""
    parts: "Mapping[str, Command]" = field(default_factory=dict)
    """What comes after its name, as in ``weights list``."""
    epilog: str = ""

    def register(self, parser: ArgumentParser) -> None:
        """Adds the options and the parts."""
        parser.description, parser.epilog = self.help, self.epilog
        if self.epilog:
            parser.formatter_class = RawDescriptionHelpFormatter
        for one in self.takes:
            title, kind = one if isinstance(one, tuple) else ("", one)
            add_options(parser.add_argument_group(title) if title else parser, kind)
        if self.parts:
            metavar = " | ".join(self.parts)
            several = parser.add_subparsers(dest="part", required=True, metavar=metavar)
            for name, part in self.parts.items():
                part.register(several.add_parser(name, help=part.help))


def add_options(parser: ArgumentParser | _ArgumentGroup, kind: type) -> None:
    """Adds an option for each field of ``kind``.

    What was not given stays out of the namespace: the dataclass alone knows its defaults.
    """
    hints = get_type_hints(kind)
    for entry in fields(kind):
        if entry.metadata:
            _add(parser, entry, hints[entry.name])


def options(kind: type[Options], given: Namespace, **others: Any) -> Options:
    """The dataclass with what was given and the ``others``; its own defaults for the rest."""
    return kind(**given_of(kind, given), **others)


def given_of(kind: type, given: Namespace) -> dict[str, Any]:
    """What was given of the fields of ``kind``."""
    names = [entry.name for entry in fields(kind)]
    chosen = {name: getattr(given, name) for name in names if hasattr(given, name)}
    lists = {name: tuple(value) for name, value in chosen.items() if isinstance(value, list)}
    return chosen | lists


@dataclass(frozen=True, slots=True)
class Readable:
    """An option that may also be written elsewhere: in a file, or in the environment."""

    name: str
    """Without its dashes."""
    field: str
    read: Callable[[str], Any] | None
    """Turns text into a value; None for one that is true or false."""
    several: bool


def readable(kind: type) -> list[Readable]:
    """The fields of ``kind`` that have a flag."""
    hints = get_type_hints(kind)
    found = []
    for entry in fields(kind):
        if entry.metadata and flag_of(entry).startswith("--"):
            value_type, several = _value_type(hints[entry.name])
            read = None if value_type is bool else reader(entry, value_type)
            found.append(Readable(flag_of(entry)[2:], entry.name, read, several))
    return found


def _add(parser: ArgumentParser | _ArgumentGroup, entry: "Field[Any]", hint: Any) -> None:
    told, value_type, several = entry.metadata, *_value_type(hint)
    flag, help_text = flag_of(entry), told["help"].replace("%", "%%")
    if value_type is bool:
        on = entry.default is not True
        flag = flag if on or told["flag"] else flag.replace("--", "--no-", 1)
        action = "store_true" if on else "store_false"
        parser.add_argument(flag, dest=entry.name, action=action, default=SUPPRESS, help=help_text)
        return
    how: dict[str, Any] = {
        "type": reader(entry, value_type),
        "default": SUPPRESS,
        "help": help_text + _default_in_words(entry),
    }
    if told["metavar"]:
        how["metavar"] = told["metavar"]
    elif told["choices"]:
        how["metavar"] = "|".join(str(one) for one in told["choices"])
    if told["nargs"] not in ("", ONE):
        how["nargs"] = told["nargs"]
        how |= {"const": ""} if told["nargs"] == "?" else {}
        how |= {"action": "extend"} if several and flag.startswith("--") else {}
    elif several and told["nargs"] != ONE:
        how["action"] = "append"
    if flag.startswith("--"):
        required = entry.default is MISSING and entry.default_factory is MISSING
        parser.add_argument(flag, dest=entry.name, required=required, **how)
    else:
        parser.add_argument(entry.name, **how)


def reader(entry: "Field[Any]", value_type: Callable[[str], Any]) -> Callable[[str], Any]:
    """What turns the text of an option into its value, or says what was expected."""
    told = entry.metadata
    parse = told["parse"] or value_type

    def read(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError as error:
            wanted = f"a {'whole ' if parse is int else ''}number"
            text_of_error = (
                f"expected {wanted}, got {text!r}" if parse in (int, float) else str(error)
            )
            raise ArgumentTypeError(text_of_error) from None
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


def _default_in_words(entry: "Field[Any]") -> str:
    if entry.default in (MISSING, None, "", ()) or "default" in entry.metadata["help"]:
        return ""
    return f" ({entry.default})"
