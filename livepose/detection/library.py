"""ultralytics, imported without its side effects.

ultralytics' import writes a settings file, looks whether there is a network, sets OMP_NUM_THREADS
to 1 (which would leave every library loaded later with one core), turns OpenCV's threads off,
changes how NumPy and torch print, replaces ``torch.save`` and adds warning filters. livepose wants
three functions of it, and leaves the process as it was. torchvision is never imported.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from livepose.weights.places import own_folder

QUIET = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


@cache
def ultralytics() -> Any:
    """``DetectionModel``, ``non_max_suppression``, ``tasks``, ``version``."""
    with _as_it_was():
        os.environ.update(QUIET)
        os.environ["YOLO_CONFIG_DIR"] = str(own_folder())  # its settings go with the process
        import ultralytics as package
        from ultralytics.nn import tasks
        from ultralytics.utils.nms import non_max_suppression
    return SimpleNamespace(
        DetectionModel=tasks.DetectionModel,
        non_max_suppression=non_max_suppression,
        tasks=tasks,
        version=package.__version__,
    )


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Puts back what the import of ultralytics changes in the process."""
    environment, threads = dict(os.environ), cv2.getNumThreads()
    numpy_prints, torch_save = np.get_printoptions(), torch.save
    torch_prints = vars(torch._tensor_str.PRINT_OPTS).copy()
    with warnings.catch_warnings():
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environment)
            cv2.setNumThreads(threads)
            np.set_printoptions(**numpy_prints)
            torch.save = torch_save
            vars(torch._tensor_str.PRINT_OPTS).update(torch_prints)
