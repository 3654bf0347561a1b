"""Made scenes with a known truth, and what rarer detection costs."""

import json

import numpy as np
import pytest
from fakes import FakeDetector, FakeRuntime

from livepose.frame import Frame
from livepose.pipeline import Settings
from studies.identity import interval
from studies.identity.__main__ import main
from studies.identity.foreground import ForegroundCrop
from studies.identity.scenes import Scene
from studies.identity.scoring import Answer, combined, score
from studies.identity.trajectories import Plan, Trajectory


def figure(grey, height=200, width=80):
    """A person of one grey who fills an upright ellipse."""
    rows, columns = np.mgrid[:height, :width]
    inside = ((rows - height / 2) / (height / 2)) ** 2 + ((columns - width / 2) / (width / 2)) ** 2
    keypoints_xy = np.column_stack([np.full(17, width / 2), np.linspace(8, height - 8, 17)])
    image = np.full((height, width, 3), grey, np.uint8)
    return ForegroundCrop(image, (inside < 1).astype(np.float32), keypoints_xy)


CAST = [figure(grey) for grey in (20, 60, 100, 140, 180, 220)]


def passing():
    """Two who pass each other, the second one nearer."""
    there = Trajectory((0.0, 6.0), (0.1, 0.9), 0.6, 0.0)
    back = Trajectory((0.0, 6.0), (0.9, 0.1), 0.6, 1.0)
    return Scene(Plan((there, back), None), CAST[:2], "passing")


def test_a_scene_is_the_same_for_the_same_seed_and_another_for_another():
    one, same, other = (Scene.drawn("crossing", seed, CAST) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.image(30), same.image(30))
    assert not np.array_equal(one.truth(30).boxes_xyxy, other.truth(30).boxes_xyxy)


def test_the_nearer_one_hides_the_farther_one():
    truth = passing().truth(60)
    assert truth.visible[1] == pytest.approx(1.0)
    assert truth.visible[0] < 0.3  # it stands farther up
    assert truth.keypoints_seen[1].sum() > truth.keypoints_seen[0].sum() + 10


def test_the_truth_scores_full_marks_and_exchanged_ids_are_two_switches():
    scene = passing()
    truth = [scene.truth(index) for index in range(scene.frame_count)]
    seen = [(one.boxes_xyxy[one.visible > 0], np.flatnonzero(one.visible > 0)) for one in truth]
    right = [Answer(boxes, ids) for boxes, ids in seen]
    # The farther one vanishes behind the nearer one, and that alone is a fragment.
    whole = {"IDF1": 100.0, "MOTA": 100.0, "IDSW": 0, "Frag": 1}
    assert combined([score(truth, right)]) == whole
    half = scene.frame_count // 2
    exchanged = right[:half] + [Answer(boxes, ids[::-1]) for boxes, ids in seen[half:]]
    figures = combined([score(truth, exchanged)])
    assert figures["IDSW"] == 2 and figures["IDF1"] < 60


def test_the_command_plays_and_writes_what_was_asked_for(shared, tmp_path, capsys):
    folder = shared / "data" / "coco" / "dev"
    given = ["--images", str(folder / "images.zip"), "--annotations"]
    given += [str(folder / "annotations.json"), "--kinds", "crossing", "--seeds", "1"]
    more = ("--intervals", "adaptive", "--json", str(tmp_path / "all.json"))
    assert main(["scenes", *given, *more]) == 0
    written = json.loads((tmp_path / "all.json").read_text())
    assert [row["tracker"] for row in written["rows"]][1] == "ultralytics ByteTrack"
    assert len(written["scenes"]) == len(written["rows"])
    assert "| livepose, adaptive |" in capsys.readouterr().err
    assert main(["scenes", *given[:-4], "--kinds", "flying"]) == 2
    assert "crossing" in capsys.readouterr().err


class Clip:
    """A white rectangle that walks."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __iter__(self):
        for index in range(24):
            image = np.full((240, 320, 3), 40, np.uint8)
            image[60:180, 40 + 2 * index : 100 + 2 * index] = 230
            yield Frame(image, index / 30, index)


def test_every_interval_is_measured_against_the_detector_at_every_frame(monkeypatch, tmp_path):
    monkeypatch.setattr("livepose.pipeline.open_runtime", lambda *_, **__: FakeRuntime())
    monkeypatch.setattr("livepose.pipeline.open_detector", lambda *_, **__: FakeDetector())
    monkeypatch.setattr(interval, "open_source", lambda _: Clip())
    rows = interval.measure([tmp_path / "walk.mp4"], (1, 4, None), Settings(), None)
    assert [row.interval for row in rows] == [1, 4, None]
    assert rows[0].agreement == 1.0
    assert rows[0].oks == pytest.approx(1.0)
    assert [row.detected for row in rows[:2]] == [1.0, pytest.approx(0.25, abs=0.05)]
    assert all(row.ids == 1 and row.fps > 0 and row.agreement > 0.95 for row in rows)
    lines = interval.markdown(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[-1].startswith("| walk.mp4 | adaptive | ")
    interval.plot(rows, tmp_path / "interval.png")
    assert (tmp_path / "interval.png").stat().st_size > 5000
