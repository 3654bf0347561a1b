"""Files that appear whole: written beside their place, then moved there."""

from pathlib import Path

from livepose.sinks.protocol import sink_error


def write_whole(path: Path, data: str | bytes) -> None:
    """Writes a file under its name with ``.part``, then gives it its name.

    Raises
    ------
    SinkError
        When it cannot be written; what was there before stays.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(data.encode() if isinstance(data, str) else data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise sink_error(path, error) from error
