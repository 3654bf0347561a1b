"""What an evaluation gives, and what every kind of it does with an estimator beside scoring it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from livepose.detection import Detector
from livepose.estimator import PoseEstimator
from livepose.evaluation.cost import Cost, network_cost
from livepose.evaluation.people import Boxed
from livepose.evaluation.pictures import PictureStore
from livepose.evaluation.predict import Decode, Variant, decode_variant
from livepose.evaluation.rows import BACKBONES, Difference, Row
from livepose.evaluation.settings import Choice
from livepose.evaluation.speed import Speed, measure_speeds

Results = list[dict[str, Any]]


@dataclass(frozen=True)
class Measured:
    """Rows, the differences that matter with their paired intervals, and every result file."""

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]
    results: Mapping[str, Results]
    pictures: int
    people: int


def bare_row(estimator: PoseEstimator, method: str, speed: Speed | None, boxes: str = "") -> Row:
    """The row of a configuration before it is scored."""
    runtime = estimator.runtime
    card = runtime.card
    return Row(
        method=method,
        backbone=BACKBONES.get(card.network, card.network),
        input_hw=card.input_hw,
        figures={},
        cost=cost_of(estimator),
        speed=speed,
        boxes=boxes,
        runtime=f"{runtime.name}, {runtime.device}, {runtime.precision}",
    )


def cost_of(estimator: PoseEstimator) -> Cost | None:
    """Parameters and GFLOPs of an estimator's network, where it can be known."""
    own: Cost | None = getattr(estimator.runtime, "cost", None)
    card = estimator.runtime.card
    return own or network_cost(card.network, card.keypoints, card.input_hw)


def speeds_of(
    choice: Choice,
    variants: Sequence[Variant],
    estimator: PoseEstimator,
    store: PictureStore,
    sample: Sequence[Boxed],
    detector: Detector | None = None,
    decode: Decode = decode_variant,
) -> Mapping[Variant, Speed]:
    """Speed of each variant; of none where it is not wanted."""
    if not choice.speed:
        return {}
    loading = choice.loading
    return measure_speeds(estimator, store, sample, variants, detector, loading, decode)
