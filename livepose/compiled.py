"""Numba's ``njit`` with a cache that heals.

Compiled kernels are kept where numba keeps them, and where neither the package nor the user's home
can be written in the folder for temporary files, in files that end in their hash. One that was cut
short, changed, or put there by another user is never unpickled: the kernel is compiled again. Where
nothing can be kept, each start compiles anew.
"""

import logging
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    NullCache,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from numba.core.serialize import dumps

from livepose.files import read_cached, temporary_folder, write_cached

NO_CACHE = (
    "there is no folder to keep compiled code in, so each start compiles it anew for a minute or "
    "two; set NUMBA_CACHE_DIR to a folder that can be written"
)

logger = logging.getLogger(__name__)


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """``numba.njit`` with these options, kept from one start to the next."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        try:
            dispatcher._cache = _HealingCache(function)
        except RuntimeError:  # numba found no place
            _say_once()
            dispatcher._cache = NullCache()
        return dispatcher

    return decorate


kernel = njit(nogil=True, error_model="numpy")
"""A kernel of the live path: threads run beside it, and division by zero is as in NumPy."""


@cache
def _say_once() -> None:
    logger.warning(NO_CACHE)


class _TemporaryLocator(InTreeCacheLocator):  # type: ignore[misc]
    """The folder for temporary files, in a folder there that is this user's alone."""

    def ensure_cache_path(self) -> None:
        subfolder = self.get_suitable_cache_subpath(self._py_file)
        self._cache_path = str(temporary_folder() / "numba" / subfolder)
        super().ensure_cache_path()


class _Places(CompileResultCacheImpl):  # type: ignore[misc]
    """Where numba may keep code; without a home, "~" would be a folder of that name."""

    _locator_classes = (
        UserProvidedCacheLocator,
        InTreeCacheLocator,
        *([UserWideCacheLocator] if os.path.isabs(os.path.expanduser("~")) else []),  # noqa: PTH111, PTH117
        _TemporaryLocator,
    )


class _HealingCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of one function: for each signature a file, which ends in its hash."""

    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file: Any = self  # which numba asks to ``load`` and to ``save``
        self._stamp = self._impl.locator.get_source_stamp()

    def load(self, key: Any) -> Any:
        """None where it is not kept, not to be trusted, or of another source."""
        try:
            stamp, code = pickle.loads(read_cached(self._path(key)))  # noqa: S301
        except OSError:
            return None
        return code if stamp == self._stamp else None

    def save(self, key: Any, code: Any) -> None:
        """Keeps code; a full disk is no reason to stop."""
        with suppress(OSError):
            write_cached(self._path(key), dumps((self._stamp, code)))

    def _path(self, key: Any) -> Path:
        digest = sha256(repr((numba.__version__, key)).encode()).hexdigest()[:16]
        return Path(self._cache_path) / f"{self._impl.filename_base}.{digest}.nbc"
