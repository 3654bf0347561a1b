"""How good a network is in the middle of its training: a few figures, quickly."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.detection import open_detector
from livepose.errors import UsageError
from livepose.estimator import PoseEstimator
from livepose.evaluation.archive import Archive
from livepose.evaluation.boxes import Boxed, annotated_boxes, detected_boxes
from livepose.evaluation.coco import match, tools
from livepose.evaluation.dataset import Dataset, load_annotations
from livepose.evaluation.metrics import box_results, coco_results, labelled_oks
from livepose.evaluation.pck import torso_share
from livepose.evaluation.predict import Variant, ignore, predict
from livepose.evaluation.settings import Loading
from livepose.runtimes import Runtime
from livepose.skeletons import SKELETONS
from livepose.weights import Card

LEAST_SCORE = 0.01
Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


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
    runtime: Runtime, images: Path, annotations: Path, limit: int | None = None
) -> dict[str, float]:
    """Scores a network on annotated boxes of a set in COCO's form, at most ``limit`` pictures.

    Returns
    -------
    dict
        ``ap`` (COCO AP in percent; left out where pycocotools is missing), ``oks`` (mean OKS of the
        annotated people over their labelled keypoints, 0 to 1), ``pck`` (PCK@0.2 of the torso over
        all labelled keypoints, percent; NaN where nobody has a torso), ``people``.

    Raises
    ------
    DataError
        When pictures and annotations do not fit together.
    """
    card, variant = runtime.card, Variant("dark")
    skeleton = SKELETONS[card.skeleton]
    sigmas = np.array(skeleton.sigmas_or_middling)
    dataset = load_annotations(annotations, limit, skeleton)
    pictures = Archive(images)
    pictures.require(dataset.file_names)
    sample = annotated_boxes(dataset, card.alignment)
    found = predict(PoseEstimator(runtime), pictures, sample, [variant], Loading(32, 1))[variant]
    pictures.close()
    truth_xy, labelled = dataset.keypoints()
    areas = np.array([one.area for one in dataset.people])
    return _precision(dataset, coco_results(sample, found, card.input_hw, sigmas), sigmas) | {
        "oks": float(labelled_oks(found.keypoints_xy, truth_xy, labelled, areas, sigmas).mean()),
        "pck": torso_share(found.keypoints_xy, truth_xy, labelled),
        "people": float(len(dataset.people)),
    }


def validate_detector(
    file: Path, images: Path, annotations: Path, input_px: int | None = None
) -> dict[str, float]:
    """``ap`` and ``ap50`` of the boxes of people, in percent, through the live path.

    Raises
    ------
    DataError, UsageError
        When the set cannot be read, or pycocotools is missing.
    """
    tools()
    dataset = load_annotations(annotations, skeleton=None)
    pictures = Archive(images)
    pictures.require(dataset.file_names)
    detector = open_detector(file, "cpu", input_px, LEAST_SCORE)
    if detector is None:
        raise UsageError(f"{file} is no detector")
    found = detected_boxes(dataset, pictures, detector, ignore)
    pictures.close()
    scores = match(dataset.document(), detector_results(found), None).scores()
    return {"ap": scores.ap, "ap50": scores.ap50}


def detector_results(found: Sequence[Boxed]) -> list[dict[str, Any]]:
    """Boxes of a whole set in COCO's submission form."""
    rows = (box_results(one.picture.id, one.boxes_xyxy, one.scores) for one in found)
    return [result for own in rows for result in own]


def _precision(
    dataset: Dataset, results: list[dict[str, object]], sigmas: NDArray[np.float64]
) -> dict[str, float]:
    try:
        return {"ap": match(dataset.document(), results, sigmas).scores().ap}
    except UsageError:  # a rented machine may lack pycocotools
        return {}
