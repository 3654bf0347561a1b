"""Holding a budget of time: what is put off so that the rest is in time.

``Scheduler`` decides, and is told how long things took; it has no clock of its own.
``PosePropagation`` moves the poses of those whose turn has not come along with their boxes.
"""

from livepose.budget.costs import Costs
from livepose.budget.propagation import PosePropagation, joined
from livepose.budget.scheduler import Budget, DroppedWork, Scheduler

__all__ = ["Budget", "Costs", "DroppedWork", "PosePropagation", "Scheduler", "joined"]
