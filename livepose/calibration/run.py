"""``livepose calibrate``: looks, fits, checks, writes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from livepose.calibration import CalibrationSettings
from livepose.calibration.fit import Sightings, calibrate, coverage, crossed, joined
from livepose.estimator import PoseEstimator
from livepose.evaluation.dataset import open_people
from livepose.evaluation.predict import annotated_boxes
from livepose.evaluation.report import write_text
from livepose.evaluation.settings import Progress
from livepose.heatmaps import decode
from livepose.runtimes import open_runtime
from livepose.weights.calibration import read_calibrations, written

Floats = NDArray[np.float64]
Crops = NDArray[np.uint8]

HIDDEN = 1
"""COCO's mark of a keypoint that is labelled and cannot be seen."""
IMAGES_A_SET = 1_000_000


def run_calibration(settings: CalibrationSettings, progress: Progress) -> str:
    """Looks, fits and writes; what the drawn ellipses hold, in a sentence."""
    estimator = PoseEstimator(open_runtime(settings.weights))
    seen = collect_all(estimator, settings, progress)
    joints = estimator.runtime.card.keypoints
    if (path := settings.output) is not None:
        found = calibrate(seen, joints)
        entries = read_calibrations(path) if path.is_file() else {}  # those of other weights stay
        entries[estimator.runtime.card.sha256] = found
        if not settings.only_these or "default" not in entries:
            entries["default"] = found
        write_text(str(path), written(entries).removesuffix("\n"))
    inner, outer = coverage(crossed(seen, joints), seen)
    return (
        f"of {len(seen.joint)} keypoints the drawn ellipses hold {inner:.0%} and {outer:.0%}"
        " (39% and 86% are right), fitted on the other half of the images"
    )


def collect_all(
    estimator: PoseEstimator,
    settings: CalibrationSettings,
    progress: Progress,
    change: Callable[[Crops], Crops] = lambda crops: crops,
) -> Sightings:
    """What the network says of the first people of every set, in annotated boxes; ``change``
    spoils the crops before.
    """
    parts = []
    for number, (images, annotations) in enumerate(settings.data):
        known, archive = open_people(images, annotations)
        advance, done = progress(annotations.parent.name, settings.people), 0
        sample = annotated_boxes(known, estimator.runtime.card.alignment)
        for place, (boxed, people) in enumerate(zip(sample, known.people_by_image, strict=True)):
            if people and done < settings.people:
                image_bgr = archive.image_bgr(boxed.image.file_name)
                crops = change(estimator.cut(image_bgr, boxed.boxes_xyxy))
                labels = np.array([person.keypoints for person in people])
                where = labels, boxed.boxes_xyxy, number * IMAGES_A_SET + place
                parts.append(_sightings(estimator, crops, *where))
                done += len(people)
                advance(len(people))
    return joined(parts)


def _sightings(
    estimator: PoseEstimator, crops_bgr: Crops, labels: Floats, boxes_xyxy: Floats, image: int
) -> Sightings:
    heatmaps = estimator.runtime(crops_bgr)
    decoded = decode(heatmaps, "dark", estimator.runtime.card.blur_kernel)
    grid_hw = (int(heatmaps.shape[2]), int(heatmaps.shape[3]))
    true = estimator.geometry.to_heatmap(labels[..., :2], boxes_xyxy, grid_hw)
    corners = estimator.geometry.to_heatmap(boxes_xyxy.reshape(-1, 2, 2), boxes_xyxy, grid_hw)
    reach = np.sqrt(np.prod(corners[:, 1] - corners[:, 0], axis=1))
    # A label outside the crop cannot be found, whatever the network says.
    inside = ((true > -0.5) & (true < np.array(grid_hw[::-1]) - 0.5)).all(axis=2)
    kept = (labels[..., 2] > 0) & inside & np.isfinite(decoded.xy).all(axis=2)
    person, joint = np.nonzero(kept)
    return Sightings(
        joint=joint,
        image=np.full(len(joint), image),
        error=(decoded.xy - true)[kept],
        reach=reach[person],
        covariance=decoded.covariance[kept],
        score=np.minimum(decoded.scores[kept], 1.0).astype(np.float64),
        hidden=labels[..., 2][kept] == HIDDEN,
    )
