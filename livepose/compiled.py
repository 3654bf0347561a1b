"""Numba's ``njit`` with a cache that heals.

Compiled kernels are kept as numba keeps them, in files that end in the hash of what they hold. One
that was cut short, changed, or put there by another user is never unpickled: the kernel is
compiled again. Where nothing can be kept, each start compiles anew.
"""

import logging
import os
import pickle
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    UserWideCacheLocator,
)
from numba.core.serialize import dumps

HASH_BYTES = 32
NO_CACHE = (
    "there is no folder to keep compiled code in, so each start compiles it anew for a minute or "
    "two; set NUMBA_CACHE_DIR to a folder that can be written"
)

logger = logging.getLogger(__name__)


def njit(*, cache: bool = True, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with these options, kept from one start to the next where ``cache`` is set."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache:
            dispatcher._cache = _cache_of(function)
        return dispatcher

    return decorate


def _cache_of(function: Callable[..., Any]) -> Any:
    try:
        return HealingCache(function)
    except RuntimeError:  # numba found no place
        _say_once()
        return NullCache()


@cache
def _say_once() -> None:
    logger.warning(NO_CACHE)


class CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """Index and compiled code of one function, each behind its hash."""

    def _load_index(self) -> Any:
        try:
            version, stamp, overloads = pickle.loads(read_checked(Path(self._index_path)))  # noqa: S301
        except OSError:  # not there yet, or not to be trusted
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: Any) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return pickle.loads(read_checked(Path(self._data_path(name))))  # noqa: S301

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _write(self, path: str, content: Any) -> None:
        payload = dumps(content)
        with self._open_for_write(path) as file:
            file.write(payload + sha256(payload).digest())


def read_checked(path: Path) -> bytes:
    """What a file holds before the hash at its end.

    Raises
    ------
    OSError
        When it cannot be read, is not what was written, or somebody else wrote it.
    """
    with path.open("rb") as file:
        if not _trusted(os.fstat(file.fileno())):
            raise OSError(f"{path} belongs to another user")
        content = file.read()
    payload, digest = content[:-HASH_BYTES], content[-HASH_BYTES:]
    if sha256(payload).digest() != digest:
        raise OSError(f"{path} is not what was written")
    return payload


def _trusted(status: os.stat_result) -> bool:
    """Whether root, this user, or whoever installed livepose owns the file."""
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid in (0, os.geteuid(), Path(__file__).stat().st_uid)


def _has_home() -> bool:
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return False


class _Places(CompileResultCacheImpl):  # type: ignore[misc]
    """Where numba may keep code; without a home, "~" would be a folder of that name."""

    _locator_classes = tuple(
        locator
        for locator in CompileResultCacheImpl._locator_classes
        if locator is not UserWideCacheLocator or _has_home()
    )


class HealingCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function, on checked files; what cannot be kept goes unkept."""

    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file: Any = CheckedFiles(self._cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keeps compiled code; a full disk is no reason to stop."""
        try:
            super().save_overload(sig, data)
        except OSError:
            self.disable()
