"""PyAV, or in its place a sentence for whoever wants to use it.

Cameras and pictures need none of it, and some machines with a GPU in them have none.
"""

from typing import Any

from livepose.errors import SourceError


class Absent:
    """Says at the first use that PyAV is missing."""

    def __init__(self, reason: ImportError) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        raise SourceError(
            f"videos and network streams need PyAV, which cannot be imported ({self._reason}); "
            "install it with 'pip install av'"
        )


av: Any
try:
    import av as package
except ImportError as error:
    av = Absent(error)
else:
    av = package
