"""Numba's ``njit`` with a cache that heals.

Compiled kernels are kept where numba keeps them, and where neither the package nor the user's home
can be written in the folder for temporary files, in files that end in their hash. One that was cut
short, changed, or put there by another user is never unpickled: the kernel is compiled again. Where
nothing can be kept, each start compiles anew.
"""

import logging
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from numba.core.serialize import dumps

from livepose.kept import read_kept, temporary_folder, write_kept

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
            version, stamp, overloads = pickle.loads(read_kept(Path(self._index_path)))  # noqa: S301
        except OSError:  # not there yet, or not to be trusted
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: Any) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return pickle.loads(read_kept(Path(self._data_path(name))))  # noqa: S301

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _write(self, path: str, content: Any) -> None:
        write_kept(Path(path), dumps(content))


def _has_home() -> bool:
    try:
        return Path.home().is_absolute()
    except RuntimeError:
        return False


class TemporaryPlace(UserProvidedCacheLocator):  # type: ignore[misc]
    """The folder for temporary files, in a folder there that is this user's alone."""

    def ensure_cache_path(self) -> None:
        """Makes it; OSError where it cannot be."""
        subfolder = self.get_suitable_cache_subpath(self._py_file)
        self._cache_path = str(temporary_folder() / "numba" / subfolder)
        super().ensure_cache_path()

    @classmethod
    def from_function(cls, function: Callable[..., Any], path: str) -> Any:
        """None where it cannot be written."""
        return super(UserProvidedCacheLocator, cls).from_function(function, path)


class _Places(CompileResultCacheImpl):  # type: ignore[misc]
    """Where numba may keep code; without a home, "~" would be a folder of that name."""

    _locator_classes = (
        *(
            locator
            for locator in CompileResultCacheImpl._locator_classes
            if locator is not UserWideCacheLocator or _has_home()
        ),
        TemporaryPlace,
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
