"""Contact sheets: many images on one, in rows, each with its label."""

from collections.abc import Sequence

import cv2
import numpy as np

from livepose.drawing.canvas import check_colour_image, fill_panel, put_text, text_width_px
from livepose.errors import UsageError
from livepose.frame import ImageBgr

_BACKGROUND = 24
_MOST_PX = 20000


def time_label(time_s: float) -> str:
    """Minutes, seconds and hundredths, as 0:03.25.

    Examples
    --------
    >>> time_label(63.254)
    '1:03.25'
    """
    sign = "-" if time_s < 0 else ""
    hundredths = round(abs(time_s) * 100)
    return f"{sign}{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def contact_sheet(
    images: Sequence[ImageBgr], columns: int, width_px: int, labels: Sequence[str] | None = None
) -> ImageBgr:
    """Puts images on one sheet, row by row, each scaled to fit its cell and never cut.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
        Sizes may differ; cells have the shape of the first one.
    columns : int
        Images in a row; fewer images make fewer columns.
    width_px : int
        Width of the sheet.
    labels : sequence of str, optional
        One for each image, written into its lower left corner (see ``time_label``).

    Raises
    ------
    UsageError
        When there is no image, an image is grey, labels do not match, or it cannot fit.
    """
    if not images:
        raise UsageError("a contact sheet: expected at least one image, got none")
    if columns < 1 or width_px < 1:
        raise UsageError(
            f"a contact sheet: expected columns and width of 1 or more, got {columns}, {width_px}"
        )
    if labels is not None and len(labels) != len(images):
        raise UsageError(
            f"a contact sheet: expected one label an image, got {len(labels)} labels "
            f"for {len(images)} images"
        )
    for image in images:
        check_colour_image(image)
    columns = min(columns, len(images))
    gap = max(1, width_px // 300)
    cell_wide = (width_px - gap * (columns + 1)) // columns
    cell_tall = max(1, round(cell_wide * images[0].shape[0] / images[0].shape[1]))
    rows = -(-len(images) // columns)
    height_px = rows * (cell_tall + gap) + gap
    if cell_wide < 1 or height_px > _MOST_PX:
        raise UsageError(
            f"a contact sheet of {len(images)} images in {columns} columns does not fit into "
            f"{width_px} px of width and {_MOST_PX} px of height; change columns or width"
        )
    sheet = np.full((height_px, width_px, 3), _BACKGROUND, dtype=np.uint8)
    for index, image in enumerate(images):
        top = gap + index // columns * (cell_tall + gap)
        left = gap + index % columns * (cell_wide + gap)
        cell = np.ascontiguousarray(sheet[top : top + cell_tall, left : left + cell_wide])
        _fill_cell(cell, image, labels[index] if labels is not None else "")
        sheet[top : top + cell_tall, left : left + cell_wide] = cell
    return sheet


def _fill_cell(cell: ImageBgr, image_bgr: ImageBgr, label: str) -> None:
    tall, wide = cell.shape[:2]
    height, width = image_bgr.shape[:2]
    scale = min(wide / width, tall / height)
    new_wide, new_tall = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image_bgr, (new_wide, new_tall), interpolation=method)
    top, left = (tall - new_tall) // 2, (wide - new_wide) // 2
    cell[top : top + new_tall, left : left + new_wide] = small
    if not label:
        return
    text_px = min(16.0, max(7.0, 0.04 * tall))
    pad, margin = 0.6 * text_px, 0.5 * text_px
    right, bottom = margin + text_width_px(label, text_px) + 2 * pad, tall - 1 - margin
    top = bottom - text_px - 2 * pad
    fill_panel(cell, (margin, top, right, bottom), pad, 0.6, (20.0, 16.0, 16.0))
    put_text(cell, label, (margin + pad, bottom - pad), text_px, (245.0, 245.0, 245.0))
