"""Keypoints of an image of one person, by an exported file alone: run_onnx.py MODEL.onnx PICTURE.

Needs numpy, opencv-python and onnxruntime; livepose only wrote the file.
"""

import json
import sys

import cv2
import numpy as np
import onnxruntime

if len(sys.argv) != 3:
    sys.exit("usage: python run_onnx.py MODEL.onnx PICTURE")
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
names = json.loads(session.get_modelmeta().custom_metadata_map["skeleton"])["keypoints"]
_, height, width, _ = session.get_inputs()[0].shape
image_bgr = cv2.imread(sys.argv[2])
if image_bgr is None:
    sys.exit(f"cannot read {sys.argv[2]}")
scale = 0.8 * min(width / image_bgr.shape[1], height / image_bgr.shape[0])  # some room around
shift_xy = (np.array([width, height]) - 1 - scale * (np.array(image_bgr.shape[1::-1]) - 1)) / 2
crop_bgr = cv2.warpAffine(image_bgr, np.c_[np.eye(2) * scale, shift_xy], (width, height))
[keypoints] = session.run(["keypoints"], {"crops_bgr": crop_bgr[None]})
for name, (x, y, score, xx, _, yy) in zip(names, keypoints[0], strict=True):
    at_xy, sigma_px = ((x, y) - shift_xy) / scale, ((xx + yy) / 2) ** 0.5 / scale
    print(f"{name} {at_xy[0]:.1f} {at_xy[1]:.1f} score {score:.2f} sigma {sigma_px:.1f} px")
