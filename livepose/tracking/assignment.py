"""One-to-one pairs of the greatest total likeness."""

import lap
import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def assign(likeness: NDArray[np.float64], least: float) -> tuple[Indices, Indices]:
    """Rows and columns of ``likeness`` (P, Q) that belong together, none below ``least``.

    The linear assignment by Jonker and Volgenant. Pairs below ``least`` count as nothing before
    the assignment, not after it: an impossible pair cannot push a possible one aside.
    """
    if not likeness.size:  # lap writes past the end of an empty matrix
        nobody = np.empty(0, dtype=np.int64)
        return nobody, nobody
    possible = np.where(likeness >= least, likeness, 0.0)
    column_of_row, _ = lap.lapjv(1.0 - possible, extend_cost=True, return_cost=False)
    rows = np.flatnonzero(column_of_row >= 0)
    columns = column_of_row[rows]
    kept = possible[rows, columns] > 0
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
