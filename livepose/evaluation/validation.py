"""How good a network is in the middle of its training: a few figures, quickly."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from livepose.estimator import PoseEstimator
from livepose.evaluation.annotations import Annotations, load_annotations
from livepose.evaluation.coco import match
from livepose.evaluation.metrics import EPS, sigmas_of
from livepose.evaluation.pck import torso_sizes
from livepose.evaluation.people import annotated_boxes
from livepose.evaluation.pictures import PictureStore
from livepose.evaluation.predict import Loading, Variant, predict
from livepose.evaluation.scoring import coco_results
from livepose.runtimes import Runtime
from livepose.skeletons import COCO17
from livepose.weights import Card

Array = NDArray[np.float64]
Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

PCK_THRESHOLD = 0.2


class CallableRuntime:
    """Any function from crops (B, h, w, 3) to heatmaps (B, K, H, W), with a card, as a runtime."""

    name = "callable"
    device = "unknown"
    precision = "unknown"

    def __init__(self, network: Network, card: Card) -> None:
        self._network = network
        self.card = card

    def __call__(self, crops_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Heatmaps of these crops."""
        return self._network(crops_bgr)

    def warm_up(self, batch_sizes: object = ()) -> None:
        """Nothing to warm."""


def validate_pose(
    network: Runtime | Network,
    images: str | Path,
    annotations: str | Path,
    limit: int | None = None,
    *,
    card: Card | None = None,
    decode: str = "dark",
    batch: int = 32,
    workers: int = 1,
) -> dict[str, float]:
    """Scores a network on annotated boxes of a set in COCO's form.

    Parameters
    ----------
    network : Runtime or callable
        A runtime, or a function from crops (B, h, w, 3) uint8 BGR to heatmaps (B, K, H, W)
        float32, for which ``card`` says how crops are cut.
    images, annotations : path
        Folder or ZIP of pictures; COCO's keypoint annotations.
    limit : int, optional
        Pictures at most.

    Returns
    -------
    dict
        ``ap`` (COCO AP, percent), ``oks`` (mean OKS of the annotated people over their labelled
        keypoints, 0 to 1), ``pck`` (PCK@0.2 of the torso over all labelled keypoints, percent; NaN
        where nobody has a torso), ``people``.

    Raises
    ------
    ValueError
        When a plain function comes without a card.
    DataError
        When pictures and annotations do not fit together.
    """
    estimator = PoseEstimator(as_runtime(network, card), decode)
    data = load_annotations(Path(annotations), limit)
    store = PictureStore.holding(Path(images), data.file_names)
    sample = annotated_boxes(data, estimator.runtime.card.alignment)
    variant = Variant(decode)
    found = predict(estimator, store, sample, [variant], Loading(batch, workers))[variant]
    store.close()
    sigmas = sigmas_of(COCO17)
    results = coco_results(sample, found, estimator.runtime.card.input_hw, sigmas)
    scores = match(data.document, results, sigmas, data.image_ids).scores()
    return {
        "ap": scores.ap,
        "oks": mean_oks(data, found.keypoints_xy, sigmas),
        "pck": torso_pck(data, found.keypoints_xy),
        "people": float(len(data.people)),
    }


def as_runtime(network: Runtime | Network, card: Card | None) -> Runtime:
    """The network as a runtime."""
    if card is not None:
        return CallableRuntime(network, card)
    if not hasattr(network, "card"):
        raise ValueError("validate_pose: a plain function needs card=: how are crops cut?")
    return cast(Runtime, network)


def mean_oks(data: Annotations, found_xy: Array, sigmas: Array) -> float:
    """Mean OKS of each annotated person with the pose in its own box, labelled keypoints only."""
    truth_xy, labelled = data.keypoints()
    area = np.array([one["area"] for one in data.people], dtype=np.float64)
    square = np.sum((found_xy - truth_xy) ** 2, axis=2)
    exponents = square / (2 * sigmas) ** 2 / (area[:, None] + EPS) / 2
    similar = np.where(labelled, np.nan_to_num(np.exp(-exponents), nan=0.0), 0.0)
    return float((similar.sum(axis=1) / labelled.sum(axis=1)).mean())


def torso_pck(data: Annotations, found_xy: Array) -> float:
    """Percent of labelled keypoints within 0.2 torso lengths; NaN where there is no torso."""
    truth_xy, labelled = data.keypoints()
    sizes = torso_sizes(truth_xy, labelled)
    near = np.linalg.norm(found_xy - truth_xy, axis=2) <= PCK_THRESHOLD * sizes[:, None]
    counted = labelled & np.isfinite(sizes)[:, None]
    return 100.0 * float((near & counted).sum()) / counted.sum() if counted.any() else float("nan")
