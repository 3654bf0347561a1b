"""What is known of a track."""

from enum import IntEnum


class State(IntEnum):
    """What is known of a track."""

    TENTATIVE = 0
    """Weakly detected, not yet believed; has no id."""
    ACTIVE = 1
    """Handed out."""
    HIDDEN = 2
    """Detected, but its pose was another's: not handed out until the boxes part, or the detector
    finds this one alone."""
    LOST = 3
    """Out of sight; may come back."""
