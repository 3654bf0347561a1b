"""What of a frame is done now, and what is not needed or put off.

``PoseSchedule`` says who needs a look of the pose network. ``Scheduler`` holds a budget of time,
and is told how long things took; it has no clock of its own.
"""

from livepose.budget.pose_schedule import PoseSchedule
from livepose.budget.scheduler import Budget, Costs, DroppedWork, Scheduler

__all__ = ["Budget", "Costs", "DroppedWork", "PoseSchedule", "Scheduler"]
