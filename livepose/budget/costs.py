"""What things cost on this machine, learned while it runs."""

import bisect


class Costs:
    """Seconds of a detection, of batches of crops, and of everything else in a frame.

    New figures count for ``RATE`` of the estimate, so that one hiccup does not change the plan.
    """

    RATE = 0.2

    def __init__(self) -> None:
        self.detect_s: float | None = None
        self.rest_s = 0.0
        """Tracking, cropping, decoding, smoothing."""
        self.after_s = 0.0
        """From the poses to the screen: waiting, drawing, showing."""
        self._crops_s: dict[int, float] = {}

    def learn_detection(self, took_s: float) -> None:
        """A detection took so long."""
        self.detect_s = self._mixed(self.detect_s, took_s)

    def learn_crops(self, count: int, took_s: float) -> None:
        """The network took so long for so many crops."""
        self._crops_s[count] = self._mixed(self._crops_s.get(count), took_s)

    def learn_rest(self, took_s: float) -> None:
        """Everything else in the frame took so long."""
        self.rest_s = self._mixed(self.rest_s or None, took_s)

    def learn_after(self, took_s: float) -> None:
        """From the poses to the screen it took so long."""
        self.after_s = self._mixed(self.after_s or None, took_s)

    def crops_s(self, count: int) -> float:
        """What so many crops should take; 0 while nothing is known.

        Between known counts in a straight line, beyond them in proportion.
        """
        if count <= 0 or not self._crops_s:
            return 0.0
        known = sorted(self._crops_s)
        at = bisect.bisect_left(known, count)
        if at == len(known):
            return self._crops_s[known[-1]] * count / known[-1]
        above = known[at]
        if above == count or at == 0:
            return self._crops_s[above]
        below = known[at - 1]
        share = (count - below) / (above - below)
        return self._crops_s[below] + share * (self._crops_s[above] - self._crops_s[below])

    def most_crops(self, count: int, budget_s: float) -> int:
        """The most crops, up to ``count``, that fit into the budget; 0 if not even one does."""
        fitting = (n for n in range(count, 0, -1) if self.crops_s(n) <= budget_s)
        return next(fitting, 0)

    def _mixed(self, old_s: float | None, new_s: float) -> float:
        return new_s if old_s is None else old_s + self.RATE * (new_s - old_s)
