"""When the detector looks closer, for one stream."""

from livepose.detection.closer import LooksCloser
from livepose.detection.detections import Detections, Detector
from livepose.frame import ImageBgr

REST_S = 3.0
"""From a closer look that shows nobody small to the next."""
HOLD_S = 1.0
"""So long every look stays close after the last small person."""
NEVER_S = float("-inf")


class Looks:
    """Takes the looks of one stream, some of them closer.

    The second look is close, and then one every ``REST_S``, so that small people are found at all.
    Once one shows somebody small, all looks are close until ``HOLD_S`` after the last of them.
    Without ``closer`` none is: where a budget of time is to be held.
    """

    def __init__(self, closer: bool = True) -> None:
        self._closer = closer
        self.wait = True
        """Whether a picture may wait until a closer look is prepared: a live one may not."""
        self.reset()

    def reset(self) -> None:
        """A new stream begins, or a new shot of it."""
        self._last_s = self._small_s = self._due_s = NEVER_S

    def take(self, detector: Detector, image_bgr: ImageBgr, time_s: float) -> Detections:
        """The people in the picture, uint8 (H, W, 3), of this time."""
        if time_s < self._last_s:
            self.reset()
        due = self._closer and self._last_s != NEVER_S and time_s >= self._due_s
        self._last_s = time_s
        if not (due and isinstance(detector, LooksCloser) and self._ready(detector, image_bgr)):
            return detector([image_bgr])[0]
        look = detector.look_closer(image_bgr)
        self._note(time_s, look.small)
        return look.people

    def _ready(self, detector: LooksCloser, image_bgr: ImageBgr) -> bool:
        height, width = image_bgr.shape[:2]
        return detector.can_look_closer((width, height), self.wait)

    def _note(self, time_s: float, small: int) -> None:
        if small:
            self._small_s = time_s
        elif time_s - self._small_s > HOLD_S:
            self._due_s = time_s + REST_S
