"""``livepose cameras``: which cameras there are, their modes, and how fast they really are."""

from argparse import Namespace
from dataclasses import dataclass

from livepose.cli.options import Command, options
from livepose.errors import SourceError
from livepose.settings import option
from livepose.sources.camera import Camera, list_cameras, measured_fps, modes


@dataclass(frozen=True)
class CamerasSettings:
    """How cameras are listed."""

    measure: bool = option(True, "do not switch the cameras on")


COMMAND = Command("Lists cameras, their modes and measured fps.", [CamerasSettings])


def run(arguments: Namespace) -> int:
    """Prints the cameras to stdout."""
    cameras = list_cameras()
    if not cameras:
        raise SourceError(
            "no camera was found; plug one in, or give the address of a network camera to --camera"
        )
    for camera in cameras:
        print(describe(camera, options(CamerasSettings, arguments).measure), flush=True)
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
