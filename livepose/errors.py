"""Every error that livepose raises on purpose, and the exit code that each one means."""


class LiveposeError(Exception):
    """Base of all: one sentence that says what, expected, got, and what to do."""

    exit_code = 1


class UsageError(LiveposeError):
    """An argument that cannot be right."""

    exit_code = 2


class SourceError(LiveposeError):
    """A source that cannot be opened, or was lost for good."""

    exit_code = 3


class SinkError(LiveposeError):
    """An output that cannot be written (a folder without permission, a full disk)."""

    exit_code = 1


class WeightsError(LiveposeError):
    """Weights that are missing, broken, or made for something else."""

    exit_code = 4


class DeviceError(LiveposeError):
    """A device or runtime that was asked for and is not there, or ran out of memory."""

    exit_code = 5


class GateError(LiveposeError):
    """A benchmark or an evaluation that missed the bar it was given."""

    exit_code = 6


class DataError(LiveposeError):
    """Annotations or pictures that cannot be trained on or measured against."""

    exit_code = 2


INTERRUPTED_EXIT_CODE = 130
