"""A line of text under a picture: why nothing moves yet."""

import cv2
import numpy as np

from livepose.frame import ImageBgr

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def captioned(image_bgr: ImageBgr, line: str) -> ImageBgr:
    """A copy of the picture with a line of text in its lower left corner."""
    drawn_bgr = np.ascontiguousarray(image_bgr).copy()
    height = drawn_bgr.shape[0]
    scale = max(0.4, height / 900)
    (width, text_height), below = cv2.getTextSize(line, _FONT, scale, 1)
    margin = text_height
    corner = (0, height - text_height - below - 2 * margin)
    cv2.rectangle(drawn_bgr, corner, (width + 2 * margin, height), (0, 0, 0), cv2.FILLED)
    place = (margin, height - below - margin)
    cv2.putText(drawn_bgr, line, place, _FONT, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn_bgr
