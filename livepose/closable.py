"""The ``with`` statement for whatever has to be closed."""

from typing import Self


class Closable:
    """Gives a class with ``close`` the ``with`` statement."""

    def close(self) -> None:
        """Lets go of everything; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
