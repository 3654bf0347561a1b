"""Options out of the fields of dataclasses, and the dataclasses out of what was given.

What the command line leaves open comes from the environment (``LIVEPOSE_MAX_PEOPLE=2``), then from
``livepose.toml`` in the working directory or the file that ``LIVEPOSE_CONFIG`` names
(``max-people = 2``).
"""

import difflib
import os
import tomllib
import types
from argparse import (
    SUPPRESS,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
    RawDescriptionHelpFormatter,
    _ArgumentGroup,
)
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from livepose.errors import UsageError
from livepose.settings import ONE, expected, flag_of

Options = TypeVar("Options")
FILE = "livepose.toml"
SOURCES = frozenset(("paths", "camera", "video", "image", "source"))
"""Fields that say where frames come from: those of one place count, not a mixture."""
TRUTHS = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)


@dataclass(frozen=True, slots=True)
class Command:
    """What a command does, what it can be told, and what then runs."""

    help: str
    takes: Sequence[type | tuple[str, type]] = ()
    """Dataclasses whose fields are its options; some below a title of their own."""
    run: Callable[[Namespace], int | None] | None = None
    """Returns the exit code, None for 0."""
    parts: "Mapping[str, Command]" = field(default_factory=dict)
    """What comes after its name, as in ``weights list``."""
    epilog: str = ""

    def register(self, parser: ArgumentParser) -> None:
        """Adds the options and the parts."""
        parser.description, parser.epilog = self.help, self.epilog
        parser.set_defaults(run=self.run)
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
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()
    }


def _add(parser: ArgumentParser | _ArgumentGroup, entry: "Field[Any]", hint: Any) -> None:
    told, value_type, several = entry.metadata, *_value_type(hint)
    flag, help_text = flag_of(entry), told["help"].replace("%", "%%")
    if value_type is bool:
        on = entry.default is not True
        flag = flag if on or told["flag"] else flag.replace("--", "--no-", 1)
        action = "store_true" if on else "store_false"
        parser.add_argument(flag, dest=entry.name, action=action, default=SUPPRESS, help=help_text)
        return
    silent = entry.default in (MISSING, None, "", ()) or "default" in told["help"]
    how: dict[str, Any] = {
        "type": reader(entry, value_type),
        "default": SUPPRESS,
        "help": help_text if silent else f"{help_text} ({entry.default})",
    }
    if metavar := told["metavar"] or "|".join(map(str, told["choices"] or ())):
        how["metavar"] = metavar
    if told["nargs"] not in ("", ONE):
        how["nargs"] = told["nargs"]
        how |= {"const": ""} if told["nargs"] == "?" else {}
        how |= {"action": "extend"} if several and flag.startswith("--") else {}
    elif several and told["nargs"] != ONE:
        how["action"] = "append"
    if flag.startswith("--"):
        how |= {"dest": entry.name, "required": entry.default is MISSING}
    parser.add_argument(flag if flag.startswith("--") else entry.name, **how)


def reader(entry: "Field[Any]", value_type: Callable[[str], Any]) -> Callable[[str], Any]:
    """What turns the text of an option into its value, or says what was expected."""
    parse = entry.metadata["parse"] or value_type

    def read(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError as error:
            wanted = "a whole number" if parse is int else "a number" if parse is float else ""
            said = f"expected {wanted}, got {text!r}" if wanted else str(error)
            raise ArgumentTypeError(said) from None
        if wanted := expected(entry.metadata, value):
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


def complete(given: Namespace, kinds: Iterable[type]) -> Namespace:
    """What was given, and below it what the environment and the file say."""
    known = {
        flag_of(entry)[2:]: (entry, get_type_hints(kind)[entry.name])
        for kind in kinds
        for entry in fields(kind)
        if entry.metadata and flag_of(entry).startswith("--")
    }
    whole = Namespace(**vars(given))
    for texts in (_from_environment(known), _from_file(known)):
        sourced = any(getattr(whole, name, None) for name in SOURCES)
        for name, (where, value) in texts.items():
            entry, hint = known[name]
            read = _value(value, entry, hint, where)
            if not (sourced and entry.name in SOURCES) and not hasattr(whole, entry.name):
                setattr(whole, entry.name, read)
    return whole


def _from_environment(known: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """By option: where its value comes from, and the value."""
    variables = {name: "LIVEPOSE_" + name.upper().replace("-", "_") for name in known}
    return {
        name: (variable, os.environ[variable])
        for name, variable in variables.items()
        if variable in os.environ
    }


def _from_file(known: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """The same of the configuration file; empty where there is none."""
    asked = os.environ.get("LIVEPOSE_CONFIG")
    path = Path(asked or FILE)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if asked:
            raise UsageError(f"LIVEPOSE_CONFIG: {path} does not exist") from None
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error
    for key in content:
        if (name := key.replace("_", "-")) not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; is {near[0]} meant?" if near else "; see livepose --help"
            raise UsageError(f"{path}: {key} is no option{hint}")
    return {key.replace("_", "-"): (f"{path}: {key}", one) for key, one in content.items()}


def _value(value: Any, entry: "Field[Any]", hint: Any, where: str) -> Any:
    value_type, several = _value_type(hint)
    if value_type is bool:
        if str(value).lower() not in TRUTHS:
            raise UsageError(f"{where}: expected true or false, got {value!r}")
        return TRUTHS[str(value).lower()]
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, dict | bool) for text in texts) or (not several and len(texts) != 1):
        wanted = "values" if several else "one value"
        raise UsageError(f"{where}: expected {wanted}, got {value!r}")
    try:
        read = [reader(entry, value_type)(str(text)) for text in texts]
    except ArgumentTypeError as error:
        raise UsageError(f"{where}: {error}") from None
    return tuple(read) if several else read[0]
