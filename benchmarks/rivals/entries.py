"""The list of everybody, in the table's order."""

from functools import partial

import torch

from benchmarks.rivals import Entry
from benchmarks.rivals.mediapipe_pose import open_mediapipe
from benchmarks.rivals.own import open_livepose, open_tinypose
from benchmarks.rivals.straightforward import open_straightforward
from benchmarks.rivals.yolo import FRAME_HW, open_exported, open_predict, open_stand_in

ENTRIES = (
    Entry("livepose", "livepose", open_livepose),
    Entry("livepose_f32", "livepose, f32", partial(open_livepose, "f32")),
    Entry("livepose_int8", "livepose, INT8", partial(open_livepose, "int8")),
    Entry("tinypose", "livepose's loop with PP-TinyPose 128x96", open_tinypose),
    Entry("yolo", "ultralytics YOLO11n-pose, predict()", open_predict),
    Entry(
        "yolo_all_cores",
        "the same, all cores",
        lambda: open_predict(torch.get_num_threads()),
        quick=False,
    ),
    Entry("yolo_openvino", "the same, exported to OpenVINO f32", open_exported, quick=False),
    Entry(
        "yolo_openvino_small",
        "the same, exported at the frame's size",
        partial(open_exported, FRAME_HW),
        quick=False,
    ),
    Entry("yolo_int8", "ultralytics YOLOv8n-pose, OpenVINO INT8", open_stand_in, quick=False),
    Entry("mediapipe", "MediaPipe Pose", open_mediapipe, quick=False),
    Entry("straightforward", "the straightforward pipeline", open_straightforward),
)
