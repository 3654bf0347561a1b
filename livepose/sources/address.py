"""Addresses as people write them: with passwords that are not escaped, or brackets unclosed."""

import re
from pathlib import PurePosixPath
from urllib.parse import unquote

from livepose.errors import SourceError


def scheme_of(url: str) -> str:
    """The scheme in small letters."""
    return url.partition("://")[0].lower()


def suffix_of(url: str) -> str:
    """The suffix of the path in an address, in small letters."""
    path = re.split(r"[?#]", url.partition("://")[2], maxsplit=1)[0]
    return PurePosixPath(path.partition("/")[2]).suffix.lower()


def local_path(url: str) -> str:
    """The path of a file:// address, percent-decoded."""
    host, slash, path = url.partition("://")[2].partition("/")
    if host not in ("", "localhost"):
        raise SourceError(f"{url} is not on this machine; expected file:///path")
    return unquote(slash + path, errors="surrogateescape")


def address_advice(url: str) -> str:
    """The question that ends a sentence about an address that does not open."""
    rest = url.partition("://")[2]
    user, at, _ = rest.rpartition("@")
    if at and re.search(r"[][/?#@\s]", user):
        return (
            "in a password # ? / [ and ] must be written as %23, %3F, %2F, %5B and %5D, "
            "an at sign as %40"
        )
    return "is the address right, and the camera on and reachable?"
