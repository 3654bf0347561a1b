"""livepose as a library: results as people know them, one class for bad values, threads."""

import copy
import csv
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import make_pipeline, scene_image
from PIL import Image
from results.people import STANDING_XY, but, people

from livepose import LiveposeError, Poses, Settings
from livepose.errors import SinkError, SourceError, UsageError

__all__ = ["make_pipeline"]
IMAGE_BGR = np.full((480, 640, 3), 60, np.uint8)


@pytest.fixture
def poses():
    """Two people; the second lacks the nose."""
    second = but(nose=None, left_shoulder=(330, 120))
    return people([STANDING_XY, second], ids=[3, 7], image_bgr=IMAGE_BGR)


def test_people_are_taken_by_index_slice_and_mask(poses):
    assert [len(poses), len(poses[0]), len(poses[:1]), len(poses[-2:])] == [2, 1, 1, 2]
    assert poses[-1].track_ids.tolist() == [poses.track_ids[1]]
    assert poses[poses.track_ids == 7] == poses[1]
    assert [one.track_ids.tolist() for one in poses] == [[3], [7]]
    assert poses[1].image_bgr is IMAGE_BGR
    with pytest.raises(IndexError, match=r"poses\[2\]: there are 2 people"):
        poses[2]


def test_plot_draws_into_a_copy_of_the_image_they_were_found_in(poses):
    drawn = poses.plot(boxes=True, uncertainty=True)
    assert drawn.shape == IMAGE_BGR.shape
    assert (IMAGE_BGR == 60).all()
    assert (drawn != 60).any()
    assert (poses.plot() != poses.plot(score_threshold=0.9)).any()
    assert poses._repr_html_().startswith('<img src="data:image/jpeg;base64,')
    elsewhere = poses.with_arrays(image_bgr=None)
    assert elsewhere._repr_html_().startswith("<table>")
    with pytest.raises(UsageError, match="do not know their image"):
        elsewhere.plot()


def test_save_writes_what_the_name_says(poses, tmp_path):
    image = cv2.imread(str(poses.save(tmp_path / "out.png")))
    assert (image == poses.plot()).all()
    assert json.loads(poses.save(tmp_path / "out.json").read_text()) == poses.to_dict()
    with poses.save(tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 17 and list(rows[0]) == list(poses.to_table())
    nose = rows[17]
    assert (nose["keypoint"], nose["x"], nose["state"]) == ("nose", "", "missing")
    with pytest.raises(UsageError, match=r"ends in \.bmp"):
        poses.save(tmp_path / "out.mov")
    with pytest.raises(SinkError, match="cannot write"):
        poses.save(tmp_path / "nowhere" / "out.png")


def test_supervision_draws_calibrated_ellipses_and_no_limb_to_a_weak_point(poses):
    sv = pytest.importorskip("supervision", reason="the optional package supervision")
    poses.keypoint_scores[0, 5] = 0.1  # the left shoulder is hardly believed
    found = poses.to_supervision()
    np.testing.assert_allclose(found.data["covariance"], poses.covariance_px2, rtol=1e-6)
    np.testing.assert_allclose(found.detection_confidence, poses.scores, rtol=1e-6)
    assert not found.visible[0, 5]
    assert found.visible[0, 6]
    assert poses.to_supervision(score_threshold=0.05).visible[0, 5]
    edges = [(first + 1, second + 1) for first, second in poses.skeleton.limbs]
    limbs = sv.EdgeAnnotator(edges=edges).annotate(IMAGE_BGR.copy(), found)
    x, y = poses.keypoints_xy[0, 5].astype(int)
    assert (limbs[y - 1 : y + 2, x - 1 : x + 2] == 60).all()
    ellipses = sv.VertexEllipseAreaAnnotator().annotate(IMAGE_BGR.copy(), found)
    assert (ellipses != 60).any()


def test_process_takes_an_array_a_path_or_an_image_of_pil(make_pipeline, tmp_path):
    image_bgr, file = scene_image(100), tmp_path / "a.png"
    cv2.imwrite(str(file), image_bgr)
    pipeline = make_pipeline()
    expected = pipeline.process(image_bgr)
    assert len(expected) == 1
    for one in (str(file), file, Image.open(file), Image.fromarray(image_bgr[..., ::-1])):
        assert pipeline.process(one) == expected
    assert (pipeline.process(file).plot() == expected.plot()).all()
    assert pipeline.process(str(file), 0.0).track_ids.tolist() == [1]
    with pytest.raises(SourceError, match=r"nowhere\.jpg"):
        pipeline.process(tmp_path / "nowhere.jpg")


def test_what_was_handed_out_stays_as_it_is(make_pipeline):
    pipeline = make_pipeline()
    first = pipeline.process(scene_image(100), 0.0)
    kept = copy.deepcopy(first)
    for index in range(1, 6):
        pipeline.process(scene_image(100 + 5 * index), index / 30)
    assert len(first) == 1 and first == kept


def test_bad_values_are_one_class_of_errors(make_pipeline):
    assert issubclass(UsageError, LiveposeError) and issubclass(UsageError, ValueError)
    for wrong in (
        lambda: Settings(max_people=0),
        lambda: Settings(decode="best"),
        lambda: make_pipeline(max_latency_ms=-1.0),
        lambda: make_pipeline().process(IMAGE_BGR[..., 0]),
        lambda: Poses(*[np.zeros((1, 2))] * 6),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_the_example_goes_from_a_photograph_to_plot_table_and_supervision(
    shared, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("supervision", reason="the optional package supervision")
    image = shared / "images" / "couple_walking.jpg"
    example = str(Path(__file__).parent.parent / "examples" / "photograph.py")
    monkeypatch.setattr(sys, "argv", [example])
    with pytest.raises(SystemExit, match=r"usage: python photograph\.py PICTURE FOLDER"):
        runpy.run_path(example)
    monkeypatch.setattr(sys, "argv", [example, str(image), str(tmp_path)])
    runpy.run_path(example)
    assert len(capsys.readouterr().out.splitlines()) == 2
    original = cv2.imread(str(image))
    for name in ("plot.png", "supervision.png"):
        drawn = cv2.imread(str(tmp_path / name))
        assert (drawn != original).any(axis=2).mean() > 0.005
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 1 + 2 * 17


LIGHT = """
import importlib.machinery as machinery, multiprocessing, os, sys
from concurrent.futures import ThreadPoolExecutor
hidden = ("torch", "ultralytics", "torchvision")
real = machinery.PathFinder.find_spec
machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, *rest: None if name.split(".")[0] in hidden else real(name, *rest)
)
import cv2
from livepose import LiveposeError, PosePipeline
from livepose.cli import main

image = cv2.imread(sys.argv[1])
pipeline = PosePipeline(detector="embedded", precision="f32")
expected = pipeline.process(image)
assert not set(hidden) & set(sys.modules)
assert len(expected) == 2 and (expected.keypoint_scores > 0.2).mean() > 0.6
with ThreadPoolExecutor(4) as pool:
    assert all(found == expected for found in pool.map(pipeline.process, [image] * 4))

def work(answers):
    try:
        answers.put(pipeline.process(image) == expected)
    except LiveposeError as error:
        answers.put(str(error))

if hasattr(os, "fork"):
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=work, args=(answers,))
    child.start()
    child.join(100)
    if child.is_alive():
        child.kill()
        sys.exit("the child hangs")
    answer = answers.get()
    assert answer is True or "forked" in answer, answer
sys.exit(main(["--image", sys.argv[1], "--runtime", "torch", "--no-window"]))
"""


def test_without_torch_one_pipeline_serves_threads_and_after_a_fork_works_or_says_it_cannot(
    shared, tmp_path
):
    image = shared / "images" / "couple_walking.jpg"
    command = [sys.executable, "-W", "ignore", "-c", LIGHT, image]
    light = {**os.environ, "LIVEPOSE_OFFLINE": "1", "LIVEPOSE_CACHE": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=light, check=False)
    assert done.returncode == 5, done.stderr[-2000:]
    assert "'livepose[torch]' for torch" in done.stderr
