"""Drawing: skeletons, the live figures in a corner, and contact sheets, straight into BGR images.

Limbs and joints are painted by one kernel (``_kernels``), the rest by OpenCV. Integer coordinates
are pixel centres.
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
