"""livepose: people in front of a camera, as skeletons, at frame rate.

The way of a frame, and the room of each step::

    source -> detect -> track -> crop -> network -> decode -> smooth -> draw -> sink
    sources/ detection/ tracking/ crops/ runtimes/  heatmaps/ smoothing/ drawing/ sinks/
                                  `------ estimator/ -------'
    `--------------------- pipeline.py ---------------------------'

Levels, lowest first; a module imports only from levels below its own:

1. words: ``errors``, ``frame``, ``skeletons``, ``boxes``, ``poses``, ``settings``;
   small tools: ``paths``, ``files`` (written whole or not), ``compiled`` (numba), ``threads``
2. ``heatmaps/`` the heart, ``networks/``, ``crops/``
3. ``weights/``, ``runtimes/``
4. stages: ``sources/``, ``detection/``, ``tracking/``, ``smoothing/``, ``drawing/``, ``sinks/``;
   ``results/``: angles, motion files, tables, plots; ``live/``: sinks that hand each frame to other
   programs, browsers and cameras while it is fresh
5. ``estimator`` = crop, network, decode: shared by live use, evaluation and benchmark;
   ``export/``: weights as one file that runs without livepose;
   ``budget/``: what of a frame has to wait so that it is in time; ``window``
6. ``pipeline``; ``player``, which draws, shows and writes what it finds;
   ``multistream``, which lets several streams share the networks; ``machine``, on which figures
   are measured; ``batch/``: many files, workers and machines
7. ``evaluation/``, ``training/``, ``calibration/``, ``benchmark/``: never imported by the live
   path
8. ``cli/``: the commands; the parameters of each are its options

>>> from livepose import PosePipeline                               # doctest: +SKIP
>>> for frame, poses in PosePipeline().run("in.mp4"):               # doctest: +SKIP
...     print(frame.time_s, poses.keypoints_xy)
"""

import logging
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livepose.errors import LiveposeError
    from livepose.frame import Frame
    from livepose.multistream import PoseService
    from livepose.pipeline import PosePipeline, Settings
    from livepose.poses import Poses
    from livepose.results.reading import read

__all__ = [
    "Frame",
    "LiveposeError",
    "PosePipeline",
    "PoseService",
    "Poses",
    "Settings",
    "__version__",
    "read",
]

logging.getLogger(__name__).addHandler(logging.NullHandler())  # silent unless asked

try:
    __version__ = version("livepose")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

_HOMES = {
    "Frame": "livepose.frame",
    "LiveposeError": "livepose.errors",
    "PosePipeline": "livepose.pipeline",
    "PoseService": "livepose.multistream",
    "Poses": "livepose.poses",
    "Settings": "livepose.pipeline",
    "read": "livepose.results.reading",
}


def __dir__() -> list[str]:
    """The public names alone."""
    return __all__


def __getattr__(name: str) -> Any:
    """Loads a public name when it is first asked for, so that the import itself stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
