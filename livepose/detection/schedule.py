"""When the second scale is looked at too."""

from collections.abc import Sequence

from livepose.detection.detector import Detections, Detector
from livepose.frame import ImageBgr

REST_S = 3.0
"""From a second-scale pass that shows nobody small to the next."""
HOLD_S = 1.0
"""So long every detection takes both scales after the last small person."""
NEVER_S = float("-inf")
LARGE_IMAGE_PX = 1920
"""A still whose longer side is above this is always seen at both scales."""


class DetectionSchedule:
    """Detects in one stream, now and then at the second scale too.

    The second detection is one of both scales, and then one every ``REST_S``, so that small people
    are found at all. Once one shows somebody small, all are, until ``HOLD_S`` after the last of
    them. Without ``second_scale`` none is: where a budget of time is to be held.
    """

    def __init__(self, second_scale: bool = True) -> None:
        self._second_scale = second_scale
        self.wait = True
        """Whether an image may wait until the second scale is prepared: a live one may not."""
        self.reset()

    def reset(self) -> None:
        """A new stream begins, or a new shot of it."""
        self._last_s = self._small_s = self._due_s = NEVER_S

    def detect(self, detector: Detector, image_bgr: ImageBgr, time_s: float) -> Detections:
        """The people in the image, uint8 (H, W, 3), of this time."""
        if time_s < self._last_s:
            self.reset()
        due = self._second_scale and self._last_s != NEVER_S and time_s >= self._due_s
        self._last_s = time_s
        found = detector.both_scales(image_bgr, self.wait) if due else None
        if found is None:
            return detector([image_bgr])[0]
        if found.small:
            self._small_s = time_s
        elif time_s - self._small_s > HOLD_S:
            self._due_s = time_s + REST_S
        return found.people


def detect_stills(detector: Detector, images_bgr: Sequence[ImageBgr]) -> list[Detections]:
    """The people in stills, (H, W, 3) each; in large ones at both scales."""
    found = detector(images_bgr)
    for number, image_bgr in enumerate(images_bgr):
        large = max(image_bgr.shape[:2]) > LARGE_IMAGE_PX
        if large and (both := detector.both_scales(image_bgr, wait=True)) is not None:
            found[number] = both.people
    return found
