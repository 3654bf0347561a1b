"""People and frames that the tests of the sinks write."""

from pathlib import Path

import numpy as np
from people import made

from livepose.frame import Frame
from livepose.poses import Poses


def frame(index=0, time_s=0.0, size_wh=(64, 48), name=None, value=100) -> Frame:
    return Frame(np.full((size_wh[1], size_wh[0], 3), value, np.uint8), time_s, index, name=name)


def poses(people=1, missing=()) -> Poses:
    """Keypoint k of person p lies at (10 + k + 100 p, 20 + k), with score 0.5 + k / 100."""
    k, right = np.arange(17.0), 100.0 * np.arange(people)[:, None]
    xy = np.stack(np.broadcast_arrays(10 + k + right, 20 + k), axis=2)
    xy[:, list(missing)] = np.nan
    boxes_xyxy = np.array([5.0, 6, 45, 66]) + right * [1, 0, 1, 0]
    found = made(xy, 0.5 + k / 100, boxes_xyxy, sigma_px=2.0)
    return found.with_arrays(scores=np.full(people, 0.9))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
