"""How angle errors are counted."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from evaluation_sets import drawn_set
from results.people import INDEX, STANDING_XY, bent, moved

from livepose.evaluation.predict import Predictions
from studies.angles import JOINTS, errors, main


def test_errors_are_those_of_labelled_joints_with_limbs_long_enough() -> None:
    truth = np.stack([bent("left_elbow", "left_wrist", 60), STANDING_XY])
    truth[1, INDEX["right_wrist"]] = np.nan
    found = np.stack([bent("left_elbow", "left_wrist", 40), STANDING_XY])
    image = np.array([4, 9])
    elbows = errors(found, truth, image, "Elbow", "all")
    np.testing.assert_allclose(np.sort(elbows.degrees), [0, 0, 20], atol=1e-9)
    assert elbows.image.tolist() == [4, 9, 4]
    assert (
        len(errors(found / 10, truth / 10, image, "Elbow", "limbs of 30 px and more").degrees) == 0
    )


def test_the_table_counts_errors_beyond_fifteen_degrees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    images, annotations, document = drawn_set(tmp_path, 5, as_zip=False)
    off_deg = np.arange(len(document["annotations"])) * 4.0
    for one in document["annotations"]:
        # Everybody stands with both arms bent to the same side.
        xy = moved(bent("left_elbow", "left_wrist", 50), 0)
        one["keypoints"] = np.column_stack([xy, np.full(17, 2)]).ravel().tolist()
    annotations.write_text(json.dumps(document))
    found = np.stack([bent("left_elbow", "left_wrist", 50 + off) for off in off_deg])
    predicted = Predictions(found, np.ones(found.shape[:2]))
    card = SimpleNamespace(skeleton="coco17", alignment="pixel_centre")
    estimator = SimpleNamespace(runtime=SimpleNamespace(card=card))
    monkeypatch.setattr("studies.angles.open_runtime", lambda *_, **__: None)
    monkeypatch.setattr("studies.angles.PoseEstimator", lambda _: estimator)
    monkeypatch.setattr("studies.angles.predict", lambda *args: {args[3][0]: predicted})
    assert main(["--images", str(images), "--annotations", str(annotations)]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[1] for row in rows] == [*JOINTS, *JOINTS]
    elbow, knee = rows[:2]
    assert elbow[3] == knee[3] == "18"
    # Nine left elbows are off by 0, 4, ... 32 degrees, five of them by more than 15.
    assert elbow[4].startswith("0.0 ")
    assert float(elbow[5].split()[0]) == pytest.approx(5 / 18 * 100, abs=0.05)
    assert knee[4].startswith("0.0 [0.0, 0.0]")
