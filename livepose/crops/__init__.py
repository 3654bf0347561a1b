"""Box -> crop, and the exact way back.

``geometry`` says once where a pixel's centre is and holds every alignment's arithmetic; ``cut``
takes the crops out of a frame; the kernels compute, in numba.
"""

from livepose.crops.cut import cut_crops
from livepose.crops.geometry import ALIGNMENTS, CropGeometry

__all__ = ["ALIGNMENTS", "CropGeometry", "cut_crops"]
