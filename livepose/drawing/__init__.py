"""Drawing: skeletons, the live figures in a corner, and contact sheets, straight into BGR pictures.

All shapes are computed from distances in floating point (``_kernels``), so that edges are smooth,
positions are sub-pixel, opacity costs nothing extra, and a keypoint a mile outside the picture is
as harmless as one inside. Integer coordinates are pixel centres.
"""

from livepose.drawing.contact_sheet import contact_sheet, time_label
from livepose.drawing.hud import Hud, draw_hud
from livepose.drawing.palette import track_colours_bgr
from livepose.drawing.poses import draw_poses, warm_up

__all__ = [
    "Hud",
    "contact_sheet",
    "draw_hud",
    "draw_poses",
    "time_label",
    "track_colours_bgr",
    "warm_up",
]
