"""One-to-one pairs of the greatest total likeness."""

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def _scipys_assignment() -> Any:
    """SciPy's function; the rest of its room takes longer to import than all of the tracking."""
    scipy = find_spec("scipy")
    folders = list(scipy.submodule_search_locations or ()) if scipy else []
    for path in (
        one for folder in folders for one in Path(folder).glob("optimize/_lsap*.[sp][oy]*")
    ):
        spec = spec_from_file_location("scipy.optimize._lsap", path)
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.linear_sum_assignment
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment


linear_sum_assignment = _scipys_assignment()


def assign(likeness: NDArray[np.float64], least: float) -> tuple[Indices, Indices]:
    """Rows and columns of ``likeness`` (P, Q) that belong together, none below ``least``.

    The Hungarian assignment. Pairs below ``least`` count as nothing before the assignment, not
    after it: an impossible pair cannot push a possible one aside.
    """
    possible = np.where(likeness >= least, likeness, 0.0)
    rows, columns = linear_sum_assignment(possible, maximize=True)
    kept = possible[rows, columns] > 0
    return rows[kept].astype(np.int64), columns[kept].astype(np.int64)
