"""What the libraries below torch raise on a GPU, as one sentence that says what to do."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from livepose.errors import DeviceError

OF_A_GPU = ("cuda", "cudnn", "cublas", "mps", "out of memory")
FULL = ("out of memory", "alloc_failed")
"""torch has a class for full memory of its own making only: pinned memory, handles of cuBLAS and
cuDNN, graphs and Apple's GPUs report it in words."""


@contextmanager
def device_errors(device: str, doing: str, lower: str) -> Iterator[None]:
    """Turns errors of a GPU into ``DeviceError``; those of our own making pass as they are.

    Parameters
    ----------
    device : str
    doing : str
        Follows "failed" and "ran out of memory": ``at 3 people at once``.
    lower : str
        What makes it need less memory.

    Raises
    ------
    DeviceError
        When memory does not suffice, a kernel is missing for the card, a recording is refused ...
    """
    try:
        yield
    except RuntimeError as error:
        # What ends a recording early may itself be hidden by the error of ending it.
        messages = [str(one) for one in (error, error.__context__) if one is not None]
        if not _has(messages, OF_A_GPU):
            raise
        if _has(messages, FULL):
            raise DeviceError(
                f"{device} ran out of memory {doing}; {lower}, or use --device cpu"
            ) from None
        reason = messages[0].splitlines()[0]
        raise DeviceError(f"{device} failed {doing}: {reason}; use --device cpu") from error


def people_errors(device: str, people: int) -> AbstractContextManager[None]:
    """The same while the pose network runs on so many people; with nobody it is being loaded."""
    doing = f"at {people} people at once" if people else "while loading"
    return device_errors(device, doing, "lower --max-people, close what else runs on it")


def _has(messages: list[str], words: tuple[str, ...]) -> bool:
    return any(word in message.lower() for message in messages for word in words)
