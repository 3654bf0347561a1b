"""``livepose cameras``: which cameras there are, their modes, and how fast they really are."""

from argparse import Namespace
from typing import Any

from livepose.errors import SourceError
from livepose.sources.devices import Camera, list_cameras, measured_fps, modes


def register(subparsers: Any) -> None:
    """Adds the command and its options."""
    parser = subparsers.add_parser("cameras", help="list cameras, their modes and measured fps")
    parser.add_argument("--no-measure", action="store_true", help="do not switch the cameras on")


def run(arguments: Namespace) -> int:
    """Prints the cameras to stdout.

    Raises
    ------
    SourceError
        When there is none.
    """
    cameras = list_cameras()
    if not cameras:
        raise SourceError(
            "no camera was found; plug one in, or give the address of a network camera to --camera"
        )
    for camera in cameras:
        print(describe(camera, measure=not arguments.no_measure), flush=True)
    return 0


def describe(camera: Camera, measure: bool) -> str:
    """A few lines on one camera."""
    lines = [f"{camera.index}  {camera.name}  ({camera.path})"]
    lines += [f"     {mode}" for mode in modes(camera)] or ["     no modes known"]
    if measure:
        fps = measured_fps(camera)
        found = "it sends no frames; is it used by another program?"
        lines.append("     measured: " + (f"{fps:.1f} fps" if fps else found))
    return "\n".join(lines)
