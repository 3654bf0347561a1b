"""File names for results that are one file a frame."""

from pathlib import Path

from livepose.frame import Frame


class FrameNames:
    """A name for each frame: that of its picture, or a stem with the frame's number.

    The second of two pictures of the same name (from two folders) gets its number too.
    """

    def __init__(self, stem: str) -> None:
        self._stem = stem
        self._given: set[str] = set()

    def __call__(self, frame: Frame) -> str:
        """The name without suffix."""
        number = f"{frame.index:012d}"
        if frame.name is None:
            return f"{self._stem}_{number}"
        name = Path(frame.name).stem
        if name in self._given:
            name = f"{name}_{number}"
        self._given.add(name)
        return name


def safe_stem(source: str) -> str:
    """A stem for file names from what a source is called: in.mp4 -> in, camera 0 -> camera_0."""
    stem = Path(source.rstrip("/")).stem or "livepose"
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in stem)
