"""Data sets to be corrected by hand."""

import cv2
import numpy as np
import yaml
from results.people import INDEX, STANDING_XY, frame, scene

from livepose.poses import Poses
from livepose.sinks.annotations import CocoDatasetSink, YoloPoseSink
from livepose.skeletons import COCO17


def test_pycocotools_reads_the_data_set(tmp_path):
    from pycocotools.coco import COCO

    with CocoDatasetSink(tmp_path / "set.json", "walk.mp4") as sink:
        for index, found in enumerate((scene(), Poses.empty(), scene())):
            sink.write(frame(index), found)
    coco = COCO(str(tmp_path / "set.json"))
    names = [image["file_name"] for image in coco.loadImgs(coco.getImgIds())]
    assert names == [f"walk_{index:012d}.jpg" for index in range(3)]
    assert coco.loadCats(1)[0]["skeleton"] == [[a + 1, b + 1] for a, b in COCO17.limbs]
    first, second = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    assert (first["track_id"], second["track_id"]) == (3, 8)
    assert (first["num_keypoints"], second["num_keypoints"]) == (17, 15)
    assert first["bbox"] == [200, 40, 200, 380]
    np.testing.assert_allclose(np.reshape(first["keypoints"], (-1, 3))[:, :2], STANDING_XY)
    points = np.reshape(second["keypoints"], (-1, 3))
    flags = {"nose": 2, "left_wrist": 0, "right_wrist": 0, "right_knee": 1, "left_ankle": 1}
    assert {name: points[INDEX[name], 2] for name in flags} == flags
    assert points[INDEX["left_wrist"]].tolist() == [0, 0, 0]


def test_ultralytics_reads_the_labels(tmp_path):
    from ultralytics.data.utils import verify_image_label

    with YoloPoseSink(tmp_path, "walk.mp4") as sink:
        sink.write(frame(0), scene())
        sink.write(frame(1), Poses.empty())
    said = yaml.safe_load((tmp_path / "dataset.yaml").read_text())
    assert said["kpt_shape"] == [17, 3] and said["names"] == {0: "person"}
    assert said["flip_idx"] == list(COCO17.flip_permutation)
    label = tmp_path / "labels" / "walk_000000000000.txt"
    image = tmp_path / "walk_000000000000.jpg"
    cv2.imwrite(str(image), frame().image_bgr)
    read = verify_image_label((str(image), str(label), "", True, 1, 17, 3, False))
    _, boxes, _, _, keypoints, missing, found, empty, corrupt, message = read
    assert (missing, found, empty, corrupt, message) == (0, 1, 0, 0, "")
    wanted = [300 / 640, 230 / 480, 200 / 640, 380 / 480]
    np.testing.assert_allclose(boxes[0, 1:], wanted, atol=1e-5)
    np.testing.assert_allclose(keypoints[0, :, :2] * (640, 480) - 0.5, STANDING_XY, atol=1e-3)
    assert keypoints[1, INDEX["right_wrist"]].tolist() == [0, 0, 0]
    assert (tmp_path / "labels" / "walk_000000000001.txt").read_text() == ""
