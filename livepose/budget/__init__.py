"""Holding a budget of time: what is put off so that the rest is in time.

``Scheduler`` decides, and is told how long things took; it has no clock of its own. ``Carrier``
moves the poses of those whose turn has not come along with their boxes.
"""

from livepose.budget.carrying import Carrier, joined
from livepose.budget.costs import Costs
from livepose.budget.scheduler import Budget, DroppedWork, Scheduler

__all__ = ["Budget", "Carrier", "Costs", "DroppedWork", "Scheduler", "joined"]
