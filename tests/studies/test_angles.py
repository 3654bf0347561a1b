"""How angle errors are counted."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from evaluation_sets import drawn_set
from results.people import bent

from livepose.evaluation.predict import Predictions
from studies.angles import JOINTS, main


def test_the_table_counts_errors_beyond_fifteen_degrees(tmp_path, monkeypatch, capsys):
    images, annotations, document = drawn_set(tmp_path, 5, as_zip=False)
    off_deg = np.arange(len(document["annotations"])) * 4.0
    for one in document["annotations"]:
        xy = bent(50)
        one["keypoints"] = np.column_stack([xy, np.full(17, 2)]).ravel().tolist()
    annotations.write_text(json.dumps(document))
    found = np.stack([bent(50 + off) for off in off_deg])
    predicted = Predictions(found, np.ones(found.shape[:2]))
    card = SimpleNamespace(skeleton="coco17", alignment="pixel_centre")
    estimator = SimpleNamespace(runtime=SimpleNamespace(card=card))
    monkeypatch.setattr("studies.angles.open_runtime", lambda *_, **__: None)
    monkeypatch.setattr("studies.angles.PoseEstimator", lambda _: estimator)
    monkeypatch.setattr("studies.angles.predict", lambda *args: {args[3][0]: predicted})
    assert main(["--images", str(images), "--annotations", str(annotations)]) == 0
    elbow, knee, *more = [row.split(" | ") for row in capsys.readouterr().out.splitlines()[2:]]
    assert len(more) == 2 * len(JOINTS) - 2
    assert elbow[3] == knee[3] == "18"
    # Nine left knees are off by 0, 4, ... 32 degrees, five of them by more than 15.
    assert knee[4].startswith("0.0 ")
    assert float(knee[5].split()[0]) == pytest.approx(5 / 18 * 100, abs=0.05)
    assert elbow[4].startswith("0.0 [0.0, 0.0]")
