"""Notices when a training goes wrong, before its checkpoint is overwritten."""

import math
from collections import deque
from statistics import median

from livepose.errors import LiveposeError

REMEMBERED = 200
NEEDED = 50
FACTOR = 4.0


class DivergenceWatch:
    """Remembers recent losses; a loss that is no number, or far above them, is an error."""

    def __init__(self, ignore_until_step: int) -> None:
        self._ignore_until = ignore_until_step
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def recent(self) -> list[float]:
        """What a checkpoint keeps."""
        return list(self._recent)

    def remember(self, losses: list[float]) -> None:
        """Take up what a checkpoint kept."""
        self._recent.extend(losses)

    def forget(self) -> None:
        """Start anew where the loss changes its meaning."""
        self._recent.clear()

    def check(self, step: int, loss: float) -> None:
        """Take in one loss.

        Raises
        ------
        LiveposeError
            When the training diverges, with what to do about it.
        """
        if not math.isfinite(loss):
            raise LiveposeError(
                f"the loss became {loss} at step {step}; the last good checkpoint is kept: start "
                "again from it with a lower --lr (--init runs/NAME/checkpoint.pt)"
            )
        usual = median(self._recent) if len(self._recent) >= NEEDED else math.inf
        if step > self._ignore_until and loss > FACTOR * usual:
            raise LiveposeError(
                f"the loss rose to {loss:.3g} at step {step}, over {FACTOR:g} times its median "
                f"{usual:.3g}; the last good checkpoint is kept: start again from it with a lower "
                "--lr (--init runs/NAME/checkpoint.pt)"
            )
        self._recent.append(loss)
