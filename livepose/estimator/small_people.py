"""A smaller input of the same network, for people who are small in the picture.

Whose crop is lower in the picture than the smaller input loses no pixel in it, and takes half of
the operations. How much accuracy that costs is for the weights to say (``Card.small_people_px``).
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from livepose.boxes import Boxes
from livepose.crops import CropGeometry
from livepose.errors import LiveposeError
from livepose.settings import BEST_STEP_PX
from livepose.threads import give_way

logger = logging.getLogger(__name__)

Estimator = TypeVar("Estimator")


def smaller_size(input_hw: tuple[int, int]) -> tuple[int, int] | None:
    """The size of half of the operations; None where networks do not bear it well.

    >>> smaller_size((128, 96)), smaller_size((256, 192)), smaller_size((64, 64))
    ((96, 64), (192, 128), None)
    """
    rows, columns = 3 * input_hw[0] / 4, 2 * input_hw[1] / 3
    whole = rows % BEST_STEP_PX == columns % BEST_STEP_PX == 0
    return (int(rows), int(columns)) if whole else None


class SmallPeople(Generic[Estimator]):
    """Who is small, and what estimates them: opened when the first of them comes, in a thread.

    Whose crop by ``geometry``, that of the usual input, is lower in the picture than ``below_px``
    is small. ``open_estimator`` gives the estimator of the smaller input, ready to run.
    """

    def __init__(
        self, below_px: float, geometry: CropGeometry, open_estimator: Callable[[], Estimator]
    ) -> None:
        self.below_px = below_px
        self._geometry, self._open_estimator = geometry, open_estimator
        self._opened: Future[Estimator | None] | None = None

    def among(self, boxes_xyxy: Sequence[Boxes]) -> list[NDArray[np.bool_]]:
        """Whether each person, (P, 4), of each picture is small."""
        return [self._geometry.heights_px(boxes) < self.below_px for boxes in boxes_xyxy]

    def estimator(self, wait: bool) -> Estimator | None:
        """The estimator of the smaller input; None until it is ready, or where it cannot be had."""
        if self._opened is None:
            self._opened = Future()
            Thread(target=self._open, name="small people", daemon=True).start()
        return self._opened.result() if wait or self._opened.done() else None

    def _open(self) -> None:
        assert self._opened is not None  # noqa: S101 - by ``estimator``
        give_way()
        made = None
        try:
            made = self._open_estimator()
            logger.info(f"people below {self.below_px:g} px go through a smaller input from now on")
        except (LiveposeError, RuntimeError) as error:
            logger.warning(f"small people go through the usual input: {error}")
        finally:
            self._opened.set_result(made)
