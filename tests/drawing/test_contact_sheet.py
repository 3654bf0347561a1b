"""Contact sheets."""

import numpy as np
import pytest
from numpy.typing import NDArray

from livepose.drawing import contact_sheet
from livepose.errors import UsageError


def plain(height: int, width: int, value: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_images_stand_in_rows_in_their_order() -> None:
    images = [plain(90, 160, value) for value in (40, 80, 120, 160, 200)]
    sheet = contact_sheet(images, columns=3, width_px=600)
    assert sheet.shape[1] == 600
    tall = sheet.shape[0] // 2
    seen = [
        int(sheet[row * tall + tall // 2, column * 200 + 100, 0])
        for row, column in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1))
    ]
    assert seen == [40, 80, 120, 160, 200]
    assert int(sheet[tall + tall // 2, 500, 0]) < 40  # the sixth place is empty


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (([], 3, 600), "at least one image"),
        (([plain(9, 9, 0)], 0, 600), "columns and width of 1 or more"),
        (([plain(9, 9, 0)] * 40, 40, 20), "does not fit"),
    ],
)
def test_what_cannot_be_a_sheet_is_refused(arguments: tuple[object, ...], wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        contact_sheet(*arguments)  # type: ignore[arg-type]
