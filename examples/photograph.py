"""From a photograph to a plot, a table and an image by supervision: photograph.py PICTURE FOLDER.

Each paragraph is a cell of a notebook, where ``poses`` alone shows the image and its people.
"""

import sys
from pathlib import Path

import cv2
import supervision as sv

from livepose import PosePipeline

if len(sys.argv) != 3:
    sys.exit("usage: python photograph.py PICTURE FOLDER")
image, folder = sys.argv[1], Path(sys.argv[2])
poses = PosePipeline().process(image)  # a path, an array (blue first) or an image of PIL

poses.save(folder / "plot.png", boxes=True, uncertainty=True)  # or .plot() for the array

for person in poses:
    wrist = person.skeleton.keypoints.index("left_wrist")
    print(person.track_ids[0], person.keypoints_xy[0, wrist], "+-", person.sigma_px[0, wrist], "px")
poses.save(folder / "table.csv")  # or .to_table() for pandas and polars

points = poses.to_supervision()  # with the calibrated covariance of each keypoint
edges = [(first + 1, second + 1) for first, second in poses.skeleton.limbs]  # it counts from 1
drawn = sv.EdgeAnnotator(edges=edges).annotate(cv2.imread(image), points)
drawn = sv.VertexEllipseAreaAnnotator().annotate(drawn, points)
cv2.imwrite(str(folder / "supervision.png"), drawn)
