"""What a page is told of a frame. Apart from the view, which is there before the poses are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from livepose.drawing import track_colours_bgr
from livepose.frame import Frame
from livepose.poses import Poses
from livepose.sinks.jsonl import age_ms, frame_json


def frame_text(frame: Frame, poses: Poses, figures: Mapping[str, Any], **more: object) -> str:
    """The people, their colours and the figures as JSON."""
    colours = {
        number: [[round(value) for value in row[::-1]] for row in track_colours_bgr(number)]
        for number in map(int, np.maximum(poses.track_ids, 1))
    }
    more |= {"size_wh": frame.size_wh, "figures": figures, "colours": colours}
    # The page knows this picture alone, whatever shape the source's own pixels have.
    shown = replace(frame, scale_xy=(1.0, 1.0))
    return frame_json(shown, poses, "plain", None, age_ms=age_ms(frame), **more)
