"""Frames as JSON: every number is that of the arrays, and null what is not there."""

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from sinks.people import frame, poses

from livepose.poses import KeypointState, Poses
from livepose.sinks.jsonl import JsonLinesSink, frame_json


def crowd(seed: int, people: int = 4) -> Poses:
    """People anywhere, some keypoints missing, some spreads unknown, some numbers odd."""
    rng = np.random.default_rng(seed)
    base = poses(people, missing=[seed])
    spread = rng.random(base.covariance_px2.shape) * 10
    spread[rng.random((people, 17)) < 0.2, 0, 1] = np.nan
    boxes = rng.normal(300, 400, (people, 4))
    boxes[0, 0] = rng.choice([np.nan, np.inf, -np.inf, 1.005])
    return replace(
        base,
        keypoints_xy=base.keypoints_xy + rng.normal(300, 400, base.keypoints_xy.shape),
        covariance_px2=spread,
        boxes_xyxy=boxes,
        scores=rng.random(people),
        keypoint_states=rng.integers(0, 5, (people, 17)).astype(np.uint8),
    )


def plain(numbers, digits):
    return [round(float(one), digits) if np.isfinite(one) else None for one in numbers]


@pytest.mark.parametrize("seed", range(4))
def test_a_frame_says_what_its_arrays_hold_and_so_does_to_dict(seed):
    people = crowd(seed, people=seed % 5 + 1) if seed else Poses.empty()
    said = json.loads(frame_json(frame(7, 0.25), people), parse_constant=pytest.fail)
    assert said == {"frame": 7, "time_s": 0.25, **people.to_dict()}
    for one, told in zip(people, said["people"], strict=True):
        assert told["id"] == one.track_ids[0] and told["score"] == round(one.scores[0], 4)
        assert told["box_xyxy"] == plain(one.boxes_xyxy[0], 2)
        points = zip(one.keypoints_xy[0], one.keypoint_scores[0], one.sigma_px[0], strict=True)
        assert told["keypoints"] == [
            None if np.isnan(xy[0]) else [*plain(xy, 2), round(score, 4), *plain([sigma_px], 3)]
            for xy, score, sigma_px in points
        ]
        assert told["states"] == [KeypointState(each).word for each in one.keypoint_states[0]]
        spreads = (plain(each.ravel()[[0, 1, 3]], 3) for each in one.covariance_px2[0])
        assert told["covariance_px2"] == [None if None in each else each for each in spreads]


def test_slim_people_take_under_400_bytes_and_keep_the_digits_that_count(tmp_path):
    people = poses(4)
    people = replace(people, keypoints_xy=people.keypoints_xy + 500.26)
    sharp = replace(people, covariance_px2=people.covariance_px2 * 0.1)
    for one, x in ((people, 510), (sharp, 510.3)):
        text = frame_json(frame(0), one, "slim")
        assert len(text) < 4 * 400
        assert json.loads(text)["people"][0]["keypoints"][0] == [x, x + 10, 0.5]
    with JsonLinesSink(tmp_path / "a.jsonl", {"keypoint": ["x"]}, slim=True) as sink:
        sink.write(frame(0), poses(1, missing=[2]))
    header, line = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert header["livepose"]["keypoint"] == ["x", "y", "score"]
    assert set(line["people"][0]) == {"id", "box_xyxy", "score", "keypoints"}
    assert line["people"][0]["keypoints"][2] is None


def test_live_frames_have_the_wall_clock_of_their_capture():
    captured = replace(frame(0), captured_s=time.perf_counter() - 2.0)
    said = json.loads(frame_json(captured, Poses.empty()))
    assert said["unix_s"] == pytest.approx(time.time() - 2.0, abs=0.5)
    assert "unix_s" not in json.loads(frame_json(frame(0), Poses.empty()))
