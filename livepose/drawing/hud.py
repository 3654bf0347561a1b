"""The live figures: a small translucent panel in the upper left corner."""

import math
from dataclasses import dataclass, field

import numpy as np

from livepose.drawing._kernels import paint_capsules
from livepose.drawing.canvas import Colour, canvas_of, fill_panel, put_text, text_width_px
from livepose.frame import ImageBgr

_WHITE: Colour = (250.0, 250.0, 250.0)
_GREY: Colour = (190.0, 185.0, 180.0)
_RED: Colour = (70.0, 70.0, 255.0)
_AMBER: Colour = (90.0, 200.0, 255.0)
_BAR: Colour = (214.0, 190.0, 60.0)
_PANEL: Colour = (26.0, 20.0, 18.0)
_SMALLEST_PX = 48


@dataclass
class Hud:
    """What the panel says. A figure that is NaN or None is not known, and shown as a dash.

    ``stage_ms`` keeps its order. ``age`` is the time from capture to display. ``dropped`` counts
    the frames let go since the start. ``notes`` are short lines below the rest.
    """

    fps: float | None = None
    people: int = 0
    stage_ms: dict[str, float] = field(default_factory=dict)
    age_p50_ms: float | None = None
    age_p95_ms: float | None = None
    dropped: int = 0
    decode: str = ""
    recording: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Row:
    label: str
    value: str = ""
    bar: float | None = None
    light: bool = False
    label_bgr: Colour = _GREY
    value_bgr: Colour = _WHITE


def draw_hud(image_bgr: ImageBgr, hud: Hud) -> ImageBgr:
    """Draws the panel into an image, in place, and returns that image.

    The panel grows with the image; where an image is too low for every row, the stages are
    left out first, and an image under 48 px is left alone.

    Raises
    ------
    UsageError
        When the image is grey, not uint8, or read-only.
    """
    canvas = canvas_of(image_bgr)
    height, width = canvas.shape[:2]
    if min(height, width) >= _SMALLEST_PX:
        text_px = min(24.0, max(6.5, min(0.0165 * height, 0.0125 * width)))
        _draw_panel(canvas, _fitting_rows(hud, int((height / text_px - 3.0) / 2.0)), text_px)
    if canvas is not image_bgr:
        image_bgr[...] = canvas
    return image_bgr


def _fitting_rows(hud: Hud, most: int) -> list[_Row]:
    people = "1 person" if hud.people == 1 else f"{hud.people} people"
    head = [_Row(f"{_figure(hud.fps)} fps", people, label_bgr=_WHITE)]
    if hud.recording:
        head.append(_Row("recording", label_bgr=_RED, light=True))
    longest = max((ms for ms in hud.stage_ms.values() if math.isfinite(ms)), default=0.0)
    stages = [
        _Row(name, f"{_figure(ms)} ms", bar=ms / longest if 0 <= ms <= longest > 0 else 0.0)
        for name, ms in hud.stage_ms.items()
    ]
    foot = []
    ages = [_figure(age_ms, 0) for age_ms in (hud.age_p50_ms, hud.age_p95_ms)]
    if ages != ["-", "-"]:
        foot.append(_Row("age p50 / p95", f"{ages[0]} / {ages[1]} ms"))
    foot.append(_Row("dropped", str(hud.dropped), value_bgr=_AMBER if hud.dropped else _WHITE))
    if hud.decode:
        foot.append(_Row("decoding", hud.decode))
    foot += [_Row(note, label_bgr=_AMBER) for note in hud.notes]
    rows = head + stages + foot
    return (rows if len(rows) <= most else head + foot)[: max(1, most)]


def _figure(value: float | None, digits: int = 1) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def _draw_panel(canvas: ImageBgr, rows: list[_Row], text_px: float) -> None:
    margin, pad, line = 0.8 * text_px, 1.1 * text_px, 2.0 * text_px
    labels = max(text_width_px(row.label, text_px) for row in rows if row.value)
    values = max(text_width_px(row.value, text_px) for row in rows)
    bars = 4.0 * text_px if any(row.bar is not None for row in rows) else 0.0
    notes = max(text_width_px(row.label, text_px) for row in rows)
    inner = max(labels + bars + values + 3.0 * text_px, float(notes))
    right = min(margin + 2 * pad + inner, canvas.shape[1] - 1 - margin)
    bottom = margin + 2 * pad + line * len(rows) - (line - text_px)
    fill_panel(canvas, (margin, margin, right, bottom), 0.9 * text_px, 0.62, _PANEL)
    edge = right - 0.5 * pad  # where a long note is cut
    bar_left = margin + pad + labels + 1.5 * text_px
    shapes: list[tuple[float, ...]] = []
    for index, row in enumerate(rows):
        base = margin + pad + text_px + index * line
        put_text(canvas, row.label, (margin + pad, base), text_px, row.label_bgr, edge)
        if row.bar is not None:
            radius, y = 0.16 * text_px, base - 0.45 * text_px
            left, end = bar_left + radius, bar_left + max(bars * row.bar - radius, radius)
            shapes.append((left, y, end, y, radius, 0.0, 0.0, 0.9, 0.9, *_BAR))
        if row.light:
            radius = 0.55 * text_px
            x, y = right - pad - radius, base - 0.5 * text_px
            shapes.append((x, y, x, y, radius, 0.0, 0.0, 1.0, 1.0, *_RED))
        elif row.value:
            left = right - pad - text_width_px(row.value, text_px)
            put_text(canvas, row.value, (left, base), text_px, row.value_bgr, edge)
    if shapes:
        paint_capsules(canvas, np.array(shapes))
