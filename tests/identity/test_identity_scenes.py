import json

import numpy as np
import pytest

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


def answers(scene, rename=lambda index, ids: ids):
    given = []
    for index in range(scene.frame_count):
        truth = scene.truth(index)
        seen = truth.visible > 0
        given.append(Answer(truth.boxes_xyxy[seen], rename(index, np.flatnonzero(seen) + 5)))
    return given


def test_the_truth_scores_full_marks_and_exchanged_ids_are_two_switches():
    scene = passing()
    truth, half = [scene.truth(i) for i in range(scene.frame_count)], scene.frame_count // 2
    figures = combined([score(truth, answers(scene))])
    # The farther one vanishes behind the nearer one, and that alone is a fragment.
    assert figures == {"IDF1": 100.0, "MOTA": 100.0, "IDSW": 0, "Frag": 1}
    exchanged = answers(scene, lambda i, ids: ids if i < half else ids[::-1])
    figures = combined([score(truth, exchanged)])
    assert figures["IDSW"] == 2 and figures["IDF1"] < 60


def test_the_command_plays_and_writes_what_was_asked_for(shared, tmp_path, capsys):
    from studies.identity.__main__ import main

    folder = shared / "data" / "coco" / "dev"
    given = ["--images", str(folder / "images.zip"), "--annotations"]
    given += [str(folder / "annotations.json"), "--kinds", "crossing", "--seeds", "1"]
    assert main(["scenes", *given, "--json", str(tmp_path / "all.json")]) == 0
    written = json.loads((tmp_path / "all.json").read_text())
    assert [row["tracker"] for row in written["rows"]][1] == "ultralytics ByteTrack"
    assert len(written["scenes"]) == len(written["rows"])
    assert "| livepose, adaptive |" in capsys.readouterr().err
    assert main(["scenes", *given[:-4], "--kinds", "flying"]) == 2
    assert "crossing" in capsys.readouterr().err
