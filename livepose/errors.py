"""Every error that livepose raises on purpose, and the exit code that each one means."""

import re

# A scheme of network cameras counts with its slashes forgotten, too.
_SCHEME = r"(?:[a-z][a-z0-9+.-]*://|\b(?:rtsp|rtmp|http|srt|ftp|tcp|udp)[set]?:/?(?!/))"
_ADDRESS = re.compile(rf"({_SCHEME})((?:(?!{_SCHEME}).)*)", re.I | re.S)
_PASSWORD = re.compile(r"^(?!\[[0-9a-f:.]*\])([^:@]*):(?!\*\*\*@).*@", re.I | re.S)
_SECRET = re.compile(
    r"((?:pas|pwd|psw|secret|token|key|auth|sign)[^=&\s]*=)(?!\*\*\*)[^&\s]*", re.I
)


def redacted(text: str) -> str:
    """The text with ``***`` for the passwords in its addresses, whatever characters they hold.

    A password that is not escaped makes an address ambiguous: then rather too much is hidden.

    Examples
    --------
    >>> redacted("rtsp://admin:sec#r/et@10.0.0.2/live?token=12")
    'rtsp://admin:***@10.0.0.2/live?token=***'
    """
    return _ADDRESS.sub(
        lambda m: m[1] + _SECRET.sub(r"\1***", _PASSWORD.sub(r"\1:***@", m[2])), text
    )


class LiveposeError(Exception):
    """Base of all: one sentence that says what, expected, got, and what to do.

    Passwords in addresses are taken out of it.
    """

    exit_code = 1

    def __init__(self, sentence: str = "") -> None:
        super().__init__(redacted(sentence))


class UsageError(LiveposeError, ValueError):
    """An argument that cannot be right: a setting, an image, an array of another shape."""

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
    """Annotations or images that cannot be trained on or measured against."""

    exit_code = 2


INTERRUPTED_EXIT_CODE = 130
