"""Slots: channels of a receiver, each held by one person for as long as the id lives."""

from collections.abc import Iterable


class Slots:
    """The lowest free number for each id.

    Somebody out of sight keeps the slot for ``HELD_S``, so that who comes back finds it again.
    """

    HELD_S = 1.0

    def __init__(self) -> None:
        self._seen_s: dict[int, float] = {}
        self._slots: dict[int, int] = {}

    def assign(self, ids: Iterable[int], time_s: float) -> dict[int, int]:
        """Slot by id: of those who are there, and of those who left less than a second ago."""
        present = list(ids)
        for number in present:
            self._seen_s[number] = time_s
        for number in [n for n, s in self._seen_s.items() if not 0 <= time_s - s < self.HELD_S]:
            del self._seen_s[number]
            self._slots.pop(number, None)
        for number in present:
            if number not in self._slots:
                self._slots[number] = self._lowest_free()
        return dict(self._slots)

    def _lowest_free(self) -> int:
        taken = set(self._slots.values())
        return next(slot for slot in range(len(taken) + 1) if slot not in taken)
