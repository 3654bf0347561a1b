"""Options out of ``livepose.toml`` and the environment, for what the command line leaves open.

The command line counts most, then the environment (``LIVEPOSE_MAX_PEOPLE=2``), then the file in the
working directory or the one that ``LIVEPOSE_CONFIG`` names (``max-people = 2``).
"""

import difflib
import os
import tomllib
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from livepose.cli.options import Readable, readable
from livepose.errors import UsageError

FILE = "livepose.toml"
SOURCES = frozenset(("paths", "camera", "video", "image", "source"))
"""Fields that say where frames come from: those of one place count, not a mixture."""
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def complete(given: Namespace, kinds: Iterable[type]) -> Namespace:
    """What was given, and below it what the environment and the file say."""
    known = {one.name: one for kind in kinds for one in readable(kind)}
    whole = Namespace(**vars(given))
    for values in (from_environment(os.environ, known), from_file(known)):
        sourced = any(hasattr(whole, name) and getattr(whole, name) for name in SOURCES)
        for field, value in values.items():
            if not (sourced and field in SOURCES) and not hasattr(whole, field):
                setattr(whole, field, value)
    return whole


def from_environment(
    environment: Mapping[str, str], known: Mapping[str, Readable]
) -> dict[str, Any]:
    """Values by field, of variables such as ``LIVEPOSE_MAX_PEOPLE``."""
    found = {}
    for name, one in known.items():
        variable = "LIVEPOSE_" + name.upper().replace("-", "_")
        if variable in environment:
            found[one.field] = _value(environment[variable], one, variable)
    return found


def from_file(known: Mapping[str, Readable]) -> dict[str, Any]:
    """Values by field, of the configuration file; none where there is no file."""
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
    found = {}
    for key, value in content.items():
        name = key.replace("_", "-")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; is {near[0]} meant?" if near else "; see livepose --help"
            raise UsageError(f"{path}: {key} is no option{hint}")
        found[known[name].field] = _value(value, known[name], f"{path}: {key}")
    return found


def _value(value: Any, one: Readable, where: str) -> Any:
    if one.read is None:
        return _truth(value, where)
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, dict | bool) for text in texts) or (
        not one.several and len(texts) != 1
    ):
        raise UsageError(
            f"{where}: expected {'values' if one.several else 'one value'}, got {value!r}"
        )
    try:
        read = [one.read(str(text)) for text in texts]
    except ArgumentTypeError as error:
        raise UsageError(f"{where}: {error}") from None
    return tuple(read) if one.several else read[0]


def _truth(value: Any, where: str) -> bool:
    text = str(value).lower()
    if text not in (*TRUE, *FALSE):
        raise UsageError(f"{where}: expected true or false, got {value!r}")
    return text in TRUE
