"""Options of the command line out of the fields of a dataclass, and the dataclass out of them."""

import types
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace, _ArgumentGroup
from collections.abc import Callable, Container
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from livepose.settings import expected, flag_of

Options = TypeVar("Options")


def add_options(
    parser: ArgumentParser | _ArgumentGroup, kind: type, *, leave_out: Container[str] = ()
) -> None:
    """Adds an option for each field of ``kind``.

    What was not given stays out of the namespace: the dataclass alone knows its defaults.
    """
    hints = get_type_hints(kind)
    for entry in fields(kind):
        if entry.metadata and entry.name not in leave_out:
            _add(parser, entry, hints[entry.name])


def options(kind: type[Options], given: Namespace) -> Options:
    """The dataclass with what was given; its own defaults for the rest."""
    names = [entry.name for entry in fields(kind)]  # type: ignore[arg-type]
    chosen = {name: getattr(given, name) for name in names if hasattr(given, name)}
    lists = {name: tuple(value) for name, value in chosen.items() if isinstance(value, list)}
    return kind(**{**chosen, **lists})


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
    flag, help_text = flag_of(entry), told["help"]
    if value_type is bool:
        on = entry.default is not True
        flag = flag if on or told["flag"] else flag.replace("--", "--no-", 1)
        action = "store_true" if on else "store_false"
        parser.add_argument(flag, dest=entry.name, action=action, default=SUPPRESS, help=help_text)
        return
    how: dict[str, Any] = {
        "type": reader(entry, value_type),
        "default": SUPPRESS,
        "help": help_text.replace("%", "%%") + _default_in_words(entry),
    }
    if told["metavar"]:
        how["metavar"] = told["metavar"]
    elif told["choices"]:
        how["metavar"] = "|".join(str(one) for one in told["choices"])
    if told["nargs"]:
        how["nargs"] = told["nargs"]
        how |= {"const": ""} if told["nargs"] == "?" else {}
    elif several:
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


def from_text(parse: Callable[[str], Options]) -> Callable[[str], Options]:
    """``parse`` for argparse, which then says the reason of a ValueError."""

    def read(text: str) -> Options:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return read


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 on."""
    return 0 if text == "0" else positive(text)
