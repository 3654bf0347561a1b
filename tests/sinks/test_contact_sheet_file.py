"""Contact sheets show the whole film, however long it is."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from livepose.errors import SinkError, UsageError
from livepose.frame import Frame
from livepose.poses import Poses
from livepose.sinks.images import SheetSink


def sheet_of(frames: int, path: Path) -> np.ndarray:
    """A film that goes from black to white."""
    sink = SheetSink(path)
    for index in range(frames):
        image = np.full((90, 160, 3), 255 * index // max(frames - 1, 1), np.uint8)
        sink.write(Frame(image, index / 10, index), Poses.empty(), image)
    sink.close()
    sink.close()
    return cv2.imread(str(path))


@pytest.mark.parametrize("frames", [1, 5, 12, 13, 500])
def test_a_sheet_goes_from_the_beginning_to_the_end(frames: int, tmp_path: Path) -> None:
    sheet = sheet_of(frames, tmp_path / "sheet.png")
    assert sheet.shape[1] == 1280
    if frames >= 12:
        grays = sorted(set(np.median(sheet, axis=2).ravel().astype(int)))
        assert grays[0] < 30
        assert grays[-1] > 200


def test_a_film_without_frames_leaves_no_sheet(tmp_path: Path) -> None:
    SheetSink(tmp_path / "sheet.png").close()
    assert not (tmp_path / "sheet.png").exists()


def test_a_sheet_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="does not exist; create it first"):
        SheetSink(tmp_path / "nowhere" / "sheet.png")


@pytest.mark.parametrize("name", ["sheet.xyz", "sheet"])
def test_a_sheet_of_an_unknown_kind_is_refused_before_the_first_frame(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="expected a picture such as sheet"):
        SheetSink(tmp_path / name)
