"""What can be known to be wrong before anything is loaded is said before anything is loaded."""

import sys
from collections.abc import Sequence
from pathlib import Path

from livepose.cli.run_options import OutputOptions, RunOptions
from livepose.errors import SinkError
from livepose.sinks._lines import Rotation
from livepose.sinks.claims import (
    PICTURE_SUFFIXES,
    check_outputs,
    check_picture_name,
    video_format,
)


def check_options(options: RunOptions) -> None:
    """Refuses outputs that cannot be written or would hurt something.

    Raises
    ------
    UsageError
        When an output is an input, another output, there already, or of an unknown kind.
    SinkError
        When an output cannot be written.
    """
    outputs, count = options.outputs, len(options.sources.chosen())
    each = [outputs.numbered(one + 1) for one in range(count)] if count > 1 else [outputs]
    if count > 1:
        options.live.numbered(count)
    rotated = ("--json", "--csv") if options.sources.rotation else ()
    if options.sources.rotation:
        Rotation.parse(options.sources.rotation)
    check_outputs(
        by_option(each), options.sources.files(), overwrite=outputs.overwrite, rotated=rotated
    )
    if outputs.sheet is not None:
        check_picture_name(outputs.sheet)
    if outputs.output is not None and not options.sources.image:
        _check_drawn(outputs.output, surely_film=bool(options.sources.video))
    if sys.stdout is None and "-" in map(str, outputs.asked().values()):
        raise SinkError("cannot write to stdout: it is closed; name a file instead of -")


def by_option(each: Sequence[OutputOptions]) -> dict[str, str | Path]:
    """Where every output of every stream goes; streams are told apart by their numbers."""
    return {
        flag if number == 0 else f"{flag} ({number + 1})": path
        for number, outputs in enumerate(each)
        for flag, path in outputs.asked().items()
    }


def _check_drawn(path: Path, *, surely_film: bool) -> None:
    """A source that is not a film may also become a picture or a folder of them."""
    pictures = not path.suffix or path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES
    if surely_film or not pictures:
        video_format(path)
