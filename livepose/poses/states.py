"""How a keypoint came to be where it is."""

from enum import IntEnum


class KeypointState(IntEnum):
    """How a keypoint came to be where it is."""

    MISSING = 0
    """It is not there: its position is NaN."""
    SEEN = 1
    """Measured in this picture."""
    WEAK = 2
    """Measured, with a score under ``WEAK_SCORE``."""
    OUTSIDE = 3
    """It lies outside the frame: nothing of it can be seen."""
    PREDICTED = 4
    """Not measured, or measured where it cannot be: it lies where it should be by its motion."""
    PROPAGATED = 5
    """Not looked at in this picture: there the prediction is as good as a measurement."""

    @property
    def word(self) -> str:
        """The state as files write it: ``seen``, ``weak``, ..."""
        return self.name.lower()
