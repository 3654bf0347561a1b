"""The numerical self-check of a detector: it has to see what it sees on the processor in f32."""

import numpy as np
from numpy.typing import NDArray

from livepose.detection.detector import Engine, Predictions
from livepose.errors import DeviceError
from livepose.runtimes.verify import people

LARGEST_SCORE_DIFFERENCE = 0.02
LARGEST_SHIFT_PX = 2.0
"""By how much the surest people may differ: the mean of their scores, the median of their edges."""
SUREST = 20


def probe_image() -> NDArray[np.uint8]:
    """An image uint8 (1, 256, 768, 3) of people; the same one every time."""
    return np.concatenate(people(), axis=1)[None]


def require_same_predictions(
    engine: Engine,
    reference: Predictions,
    person: int,
    most_score: float = LARGEST_SCORE_DIFFERENCE,
) -> None:
    """Raises DeviceError unless the engine sees on the probe what ``reference`` says.

    That are the predictions on the processor in f32. Half precision moves a box by a good part of
    a pixel, so that its surest candidates are compared, by score and place.
    """
    expected, got = _candidates(reference, person), _candidates(engine(probe_image()), person)
    expected = expected[np.argsort(-expected[:, 4])[:SUREST]]
    # The same candidate is the one at the same place: the order is another one.
    away_px = np.abs(expected[:, None, :4] - got[None, :, :4]).max(axis=2)
    scores = float(np.abs(expected[:, 4] - got[away_px.argmin(axis=1), 4]).mean())
    shift_px = float(np.median(away_px.min(axis=1)))
    if not (scores <= most_score and shift_px <= LARGEST_SHIFT_PX):  # also NaN
        raise DeviceError(
            f"the detector on {engine.name} sees other people than in f32 on the processor "
            f"(scores differ by {scores:.2g}, boxes by {shift_px:.2g} px; at most {most_score} and "
            f"{LARGEST_SHIFT_PX} px expected); use --device cpu"
        )


def _candidates(predictions: Predictions, person: int) -> NDArray[np.float64]:
    """Box and score as a person of each candidate in the first image, (N, 5)."""
    one = predictions[0].astype(np.float64)
    if one.shape[1] == 6:  # corners, score, class
        return np.asarray(one[:, :5])
    return np.asarray(np.concatenate([one[:4], one[None, 4 + person]]).T)
