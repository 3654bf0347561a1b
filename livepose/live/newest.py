"""The newest of something, for readers that come when they are ready."""

import asyncio
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Keeps one item; a reader waits for one that it has not had. For one thread's loop.

    Attributes
    ----------
    number : int
        How many items there were.
    """

    def __init__(self) -> None:
        self.number = 0
        self._items: list[Item] = []
        self._changed = asyncio.Event()

    def put(self, item: Item) -> None:
        """Takes the place of the item before."""
        self._items, self.number = [item], self.number + 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def after(self, number: int) -> tuple[int, Item]:
        """The newest item and its number, once that is another one than ``number``."""
        while self.number == number:
            await self._changed.wait()
        assert self._items  # noqa: S101 - a number above 0 has its item
        return self.number, self._items[0]
