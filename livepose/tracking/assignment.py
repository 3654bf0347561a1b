"""One-to-one pairs of the greatest total likeness."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Indices = NDArray[np.int64]


def assign(likeness: NDArray[np.float64], least: float) -> tuple[Indices, Indices]:
    """Rows and columns of ``likeness`` (P, Q) that belong together, none below ``least``.

    The Hungarian assignment. Pairs below ``least`` count as nothing before the assignment, not
    after it: an impossible pair cannot push a possible one aside.
    """
    possible = np.where(likeness >= least, likeness, 0.0)
    rows, columns = linear_sum_assignment(possible, maximize=True)
    kept = possible[rows, columns] > 0
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
