"""The list of everybody, in the table's order."""

from collections.abc import Callable
from functools import partial

from benchmarks.baselines import Entry, Opened
from benchmarks.baselines.mediapipe_pose import open_mediapipe
from benchmarks.baselines.own import open_livepose, open_tinypose
from benchmarks.baselines.straightforward import open_straightforward
from benchmarks.baselines.yolo import (
    FRAME_HW,
    NEWEST,
    open_exported,
    open_int8,
    open_predict,
    open_stand_in,
)
from livepose.machine import usable_cores


def each(opener: Callable[[], Opened]) -> Callable[[int], Opened]:
    """An opener to which the number of people is all the same."""
    return lambda people: opener()


newest_predict = partial(open_predict, network=NEWEST)
newest_exported = partial(open_exported, network=NEWEST)
newest_int8 = partial(open_int8, NEWEST)

ENTRIES = (
    Entry("livepose", "livepose", each(open_livepose), settles=True),
    Entry("livepose_f32", "livepose, f32", each(partial(open_livepose, "f32")), settles=True),
    Entry("livepose_int8", "livepose, INT8", each(partial(open_livepose, "int8")), settles=True),
    Entry("tinypose", "livepose's loop with PP-TinyPose 128x96", each(open_tinypose), settles=True),
    Entry("yolo", "ultralytics YOLO11n-pose, predict()", each(open_predict)),
    Entry(
        "yolo_all_cores",
        "the same, all cores",
        each(partial(open_predict, usable_cores())),
        quick=False,
    ),
    Entry("yolo_openvino", "the same, exported to OpenVINO f32", each(open_exported), quick=False),
    Entry(
        "yolo_openvino_small",
        "the same, exported at the frame's size",
        each(partial(open_exported, FRAME_HW)),
        quick=False,
    ),
    Entry("yolo_int8", "the same, OpenVINO INT8", each(open_int8), quick=False),
    Entry(
        "yolov8_int8",
        "ultralytics YOLOv8n-pose, its INT8 export",
        each(open_stand_in),
        quick=False,
    ),
    Entry("yolo26", "ultralytics YOLO26n-pose, predict()", each(newest_predict), quick=False),
    Entry("yolo26_openvino", "the same, OpenVINO f32", each(newest_exported), quick=False),
    Entry("yolo26_int8", "the same, OpenVINO INT8", each(newest_int8), quick=False),
    Entry("mediapipe", "MediaPipe Pose", each(open_mediapipe), quick=False),
    Entry("straightforward", "the straightforward pipeline", open_straightforward),
)
