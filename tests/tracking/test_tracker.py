import numpy as np
import pytest
from people import box, found, made, points_in

from livepose.tracking import Tracker, TrackerSettings

STEP_S = 1 / 30
SHAPE = np.random.default_rng(7).uniform(0.12, 0.88, (17, 2))
"""Where the keypoints of a drawn person lie in its box."""
SHAPES = [SHAPE, SHAPE[:, ::-1]]
NOWHERE = np.full((17, 2), np.nan)


def poses_for(tracked, keypoints_xy, score=0.6):
    """Poses on the boxes of ``tracked``, one (17, 2) for each or for all."""
    xy = np.broadcast_to(keypoints_xy, (len(tracked), 17, 2))
    return made(xy, score, tracked.boxes_xyxy, tracked.track_ids)


def seen_by(tracked, true_boxes, shapes=(SHAPE,) * 3):
    """What a perfect pose network finds: in each box the person nearest its centre."""
    places, result = np.array(true_boxes).reshape(-1, 2, 2), []
    for edges in tracked.boxes_xyxy.reshape(-1, 2, 2):
        apart = np.hypot(*(places.mean(axis=1) - edges.mean(axis=0)).T)
        nearest = int(np.argmin(apart))
        inside = apart[nearest] < np.ptp(edges, axis=0).max()
        result.append(points_in(true_boxes[nearest], shapes[nearest]) if inside else NOWHERE)
    return poses_for(tracked, np.array(result).reshape(-1, 17, 2))


def run(tracker, paths, detect=lambda i, boxes: boxes, times_s=None, frames=60):
    """Plays moving people: ``paths`` map a time to a box. Ids, true boxes and poses a frame."""
    times_s = np.arange(frames) * STEP_S if times_s is None else times_s
    history = []
    for i, now_s in enumerate(times_s):
        true_boxes = [path(now_s) for path in paths]
        detections = found(*detect(i, true_boxes)) if tracker.needs_detection(now_s) else None
        tracked = tracker.update(now_s, detections)
        poses = tracker.observe(now_s, seen_by(tracked, true_boxes, SHAPES))
        history.append((detections is not None, true_boxes, poses))
    return history


def watch(tracker, i, boxes_xyxy, keypoints_xy, score=0.6, found_at=0.9):
    """Image ``i``: what the detector finds, and keypoints seen in its boxes."""
    tracked = tracker.update(i * STEP_S, found(*boxes_xyxy, scores=found_at))
    return tracker.observe(i * STEP_S, poses_for(tracked, keypoints_xy, score))


def owner_of(poses, true_box):
    """Ids of those whose boxes are about this person's."""
    apart = (poses.boxes_xyxy - true_box).reshape(-1, 2, 2).mean(axis=1)
    return poses.track_ids[np.hypot(*apart.T) < 30].tolist()


def play(tracker, *moments, start=0):
    """Plays what the detector finds in each image; the ids of each."""
    times_s = (start + np.arange(len(moments))) * STEP_S
    found_in = zip(times_s, moments, strict=True)
    return [tracker.update(time_s, one).track_ids.tolist() for time_s, one in found_in]


def test_people_are_found_in_the_first_frame_and_nobody_in_an_empty_room():
    tracked = Tracker().update(0.0, found(box(100), box(400), scores=0.35))
    assert tracked.track_ids.tolist() == [1, 2]
    np.testing.assert_allclose(tracked.boxes_xyxy[0], box(100))
    tracker = Tracker()
    assert not any(play(tracker, *[found()] * 30))
    assert tracker.needs_detection(1.0)


@pytest.mark.parametrize(
    ("score", "counts"),
    [(0.8, [1, 1, 1, 1]), (0.4, [0, 0, 1, 1]), (0.2, [0, 0, 0, 0])],
    ids=["sure: at once", "weak: after three hits", "too low: never"],
)
def test_a_newcomer_is_born(score, counts):
    shown = play(Tracker(), found(), *[found(box(100), scores=score)] * 4)
    assert [len(ids) for ids in shown[1:]] == counts


@pytest.mark.parametrize("fps", [30, 100])
def test_death_comes_after_a_time_at_any_frame_rate(fps):
    tracker = Tracker()
    tracker.update(0.0, found(box(100)))
    died_s = next(t for t in np.arange(1, 100) / fps if not len(tracker.update(t, None)))
    assert died_s == pytest.approx(TrackerSettings().coast_s, abs=1.2 / fps)


@pytest.mark.parametrize(("away_s", "who"), [(0.7, 1), (3.3, 2)], ids=["short", "long"])
def test_after_an_absence_somebody_is_the_same_or_a_new_person(away_s, who):
    tracker = Tracker()
    play(tracker, *[found(box(100 + 3 * i)) for i in range(10)])
    gone = play(tracker, *[found()] * round(away_s / STEP_S), start=10)
    assert gone[-1] == []
    back = tracker.update(10 * STEP_S + away_s, found(box(120)))
    assert back.track_ids.tolist() == [who]


def crossing(x, speed):
    return lambda now_s: box(x + speed * now_s)


def turning_back(x, sign):
    return lambda now_s: box(x + sign * 230 * (1 - abs(1 - now_s)))


def half_a_second_unseen(i, boxes):
    return boxes[:1] if 22 <= i < 37 else boxes


IRREGULAR_S = np.cumsum(np.random.default_rng(3).choice([0.005, 0.02, 0.05, 0.12], 60))


@pytest.mark.parametrize(
    ("paths", "how"),
    [
        ([crossing(100, 200), crossing(500, -200)], {}),
        ([crossing(100, 200), crossing(500, -200)], {"detect_every": 4}),
        ([turning_back(100, 1), turning_back(580, -1)], {}),
        ([crossing(300, 0), crossing(100, 200)], {"detect": half_a_second_unseen}),
        ([crossing(100, 130), crossing(500, -130)], {"times_s": IRREGULAR_S}),
    ],
    ids=["crossing", "every 4", "turn back", "occlusion", "irregular times"],
)
def test_ids_persist(paths, how):
    tracker = Tracker(TrackerSettings(detect_every=how.pop("detect_every", None)))
    first, *_, last = run(tracker, paths, **how)
    ids, later = ([owner_of(poses, one) for one in boxes] for _, boxes, poses in (first, last))
    assert later == ids and sorted(ids) == [[1], [2]]


def test_a_repeated_time_is_harmless_and_one_that_runs_backwards_or_a_reset_forgets_everybody():
    tracker = Tracker()
    with np.errstate(all="raise"):
        for _ in range(3):
            tracked = tracker.update(60.0, found(box(100)))
    assert tracked.track_ids.tolist() == [1]
    np.testing.assert_allclose(tracked.boxes_xyxy[0], box(100))
    assert tracker.needs_detection(0.0)
    assert tracker.update(0.0, found(box(100))).track_ids.tolist() == [2]
    assert tracker.needs_detection(STEP_S)
    tracker.reset()
    assert tracker.needs_detection(1.0)
    for one in (tracker, Tracker()):
        assert one.update(1.0, found(box(500))).track_ids.tolist() == [1]


def test_weak_detections_keep_alive_who_is_there_and_bring_back_who_is_lost():
    seen, weak, tracker = found(box(100)), found(box(103), scores=0.3), Tracker()
    assert play(tracker, *[seen] * 3, *[weak] * 15)[-1] == [1]
    assert play(tracker, *[found()] * 10, weak, start=18)[-2:] == [[], [1]]


def test_boxes_that_are_none_are_left_out_and_what_cannot_be_is_refused():
    nan = float("nan")
    bad = [[nan] * 4, [50, 50, 50, 90], [90, 90, 20, 20], [0, 0, np.inf, 9], box(100)]
    tracked = Tracker().update(0.0, found(*bad))
    np.testing.assert_allclose(tracked.boxes_xyxy, [box(100)])
    assert len(Tracker().update(0.0, found(box(100), scores=nan))) == 0
    with pytest.raises(ValueError, match="finite seconds"):
        Tracker().update(nan, None)


def test_max_people_keeps_the_largest_and_stays_with_them():
    tracker = Tracker(TrackerSettings(max_people=2))
    near, far, middle = box(100, h=300, w=150), box(300, h=100, w=40), box(500)

    def shown(i, *boxes):
        tracked = tracker.update(i * STEP_S, found(*boxes))
        return tracker.observe(i * STEP_S, seen_by(tracked, boxes)).track_ids.tolist()

    assert shown(0, far, near, middle) == [1, 2]
    grown = box(300, h=205, w=82)  # a little larger than the one in the middle
    assert [shown(i, grown, near, middle) for i in range(1, 20)] == [[1, 2]] * 19
    assert [shown(i, grown, near) for i in range(20, 60)][-1] == [1, 3]


@pytest.mark.parametrize(
    ("detected", "keypoints", "shown"),
    [
        (0.45, lambda i: 0.3, (0, 0)),
        (0.30, lambda i: 0.7 if i == 20 else 0.35, (0, 3)),
        (0.45, lambda i: 0.42 + 0.25 * (i * 0.618 % 1), (0, 3)),
        (0.45, lambda i: 0.8 if i < 45 else 0.3, (45, 61)),
        (0.45, lambda i: 0.8 if i < 30 else 0.45, (90, 90)),
    ],
    ids=[
        "nothing is sure of a coat on a chair",
        "one sure image makes a chair somebody for three images at most",
        "a post that keypoints half believe is nobody after three images",
        "whoever is never sure again goes within half a second",
        "who was sure for a while needs less to stay",
    ],
)
def test_somebody_is_shown_while_something_is_sure(detected, keypoints, shown):
    tracker, ids = Tracker(), []
    for i in range(90):
        poses = watch(tracker, i, [box(100)], points_in(box(100), SHAPE), keypoints(i), detected)
        ids += poses.track_ids.tolist()
    assert shown[0] <= len(ids) <= shown[1] and set(ids) <= {1}


def test_two_people_one_before_the_other_are_two():
    child_before_parent = [lambda _: box(300, h=300, w=150), lambda _: box(300, 270, 60, 150)]
    history = run(Tracker(), child_before_parent, frames=20)
    assert all(len(poses) == 2 for *_, poses in history)


def test_somebody_found_in_two_boxes_is_one_person_even_if_the_boxes_take_turns():
    tracker, shown = Tracker(), []
    wide = box(100, h=190, w=95)
    for i in range(40):
        tracked = tracker.update(i * STEP_S, found(box(100), wide, scores=[0.9, 0.7]))
        turn = np.arange(len(tracked)) % 2 == i % 2 if len(tracked) > 1 else np.ones(1, dtype=bool)
        tracker.observe(i * STEP_S, seen_by(tracked.select(turn), [box(100)]))
        shown.append(len(tracker.predict(i * STEP_S)))
    assert shown[3:] == [1] * 37


@pytest.mark.parametrize(
    "found_in",
    [
        lambda i: "wide" if i < 3 else "both",
        lambda i: ("both", "wide", "both", "narrow")[i % 4],
        lambda i: "wide" if i < 8 else "narrow",
    ],
    ids=["wide, then both", "in turn", "wide, then narrow"],
)
def test_somebody_who_stretches_is_one_person_with_one_id_in_whatever_boxes(found_in):
    tracker = Tracker()
    wide, narrow, own = box(300, w=200), box(310, w=84), points_in(box(300, w=180), SHAPE)
    boxes = {"wide": [wide], "narrow": [narrow], "both": [wide, narrow]}
    for i in range(40):
        poses = watch(tracker, 3 * i, boxes[found_in(i)], own, found_at=0.7)
        assert poses.track_ids.tolist() == [1], f"image {i}"
        assert np.isfinite(poses.keypoints_xy).all(), f"image {i}"


def test_whoever_is_found_in_a_second_box_keeps_the_proof():
    tracker, wide, narrow = Tracker(), box(300, w=200), box(310, w=84)
    own = points_in(box(300, w=180), SHAPE)
    for i in range(60):
        boxes, score = ([wide], 0.9) if i < 30 else ([wide, narrow], 0.5)
        poses = watch(tracker, i, boxes, own, score, found_at=0.35)
        assert poses.track_ids.tolist() == [1], f"image {i}"


def test_who_stands_behind_somebody_stays_without_keypoints():
    """The pose network sees only whoever stands before; the detector finds both."""
    tracker, places = Tracker(), [box(300), box(330)]
    front, behind = points_in(places, SHAPES)
    for i in range(60):
        covered = 30 <= i < 45
        poses = watch(tracker, i, places, [front, front if covered else behind])
        assert poses.track_ids.tolist() == [1, 2]
        assert np.isfinite(poses.keypoints_xy[0]).all()
        assert np.isnan(poses.keypoints_xy[1]).all() == covered
        assert (poses.keypoint_scores[1] == 0).all() == covered


def test_identities_that_boxes_exchanged_are_mended_by_pose():
    tracker, places = Tracker(), [box(300), box(330)]
    keypoints_xy = points_in(places, SHAPES)
    for i in range(5):
        watch(tracker, i, places, keypoints_xy)
    assert watch(tracker, 5, places, keypoints_xy[::-1]).track_ids.tolist() == [2, 1]


def coming_nearer(now_s):
    return box(300, 200, 80 * (1 + 0.3 * now_s), 200 * (1 + 0.3 * now_s))


@pytest.mark.parametrize(
    "path", [crossing(100, 120), coming_nearer, crossing(300, 0)], ids=["walks", "nears", "stands"]
)
def test_boxes_follow_keypoints_while_the_detector_rests(path):
    history = run(Tracker(TrackerSettings(detect_every=10_000)), [path], frames=60)
    assert sum(looked for looked, *_ in history) == 1
    _, true_boxes, poses = history[-1]
    np.testing.assert_allclose(poses.boxes_xyxy[0], true_boxes[0], atol=20)


def still(tracker, frames, score=0.6, start=0):
    """Somebody who stands still; whether the detector was asked, a frame."""
    asked = []
    for i in range(start, start + frames):
        asked.append(tracker.needs_detection(i * STEP_S))
        tracked = tracker.update(i * STEP_S, found(box(300)) if asked[-1] else None)
        tracker.observe(i * STEP_S, poses_for(tracked, points_in(box(300), SHAPE), score))
    return asked


def test_the_detector_looks_at_each_frame_for_a_second_then_rests_for_half_a_second_at_most():
    asked = still(Tracker(), 150)
    assert all(asked[:30])
    assert sum(asked[31:91]) <= 5
    assert np.diff(np.flatnonzero(asked)).max() * STEP_S <= 0.5 + 1.01 * STEP_S
    every = still(Tracker(TrackerSettings(detect_every=5)), 40)
    assert np.flatnonzero(every).tolist() == list(range(0, 40, 5))


@pytest.mark.parametrize("detect_every", [None, 1000])
def test_keypoints_that_fade_call_the_detector_back_at_once(detect_every):
    tracker = Tracker(TrackerSettings(detect_every=detect_every))
    still(tracker, 40)
    assert not tracker.needs_detection(40 * STEP_S)
    still(tracker, 1, score=0.2, start=40)
    assert tracker.needs_detection(41 * STEP_S)


def test_keypoints_carry_somebody_whom_the_detector_misses_for_a_while():
    tracker = Tracker(TrackerSettings(detect_every=1))
    history = run(tracker, [lambda _: box(300)], detect=lambda i, b: b if i < 5 else [], frames=90)
    present = [len(poses) for *_, poses in history]
    assert all(present[: 5 + 40])
    assert not any(present[5 + 50 :])


@pytest.mark.parametrize("stall_s", [0.0, 0.4, 2.0])
@pytest.mark.parametrize("fps", [1, 3.3, 30, 120])
@pytest.mark.parametrize("detect_every", [None, 5])
def test_nobody_vanishes_at_any_rate_nor_in_a_stall_after_which_the_detector_looks(
    detect_every, fps, stall_s
):
    tracker = Tracker(TrackerSettings(detect_every=detect_every))
    paths = [lambda t: box(200 + 10 * np.sin(t)), lambda t: box(500)]
    times_s = np.arange(70) / fps + stall_s * (np.arange(70) >= 40)
    history = run(tracker, paths, times_s=times_s)
    assert {tuple(poses.track_ids.tolist()) for *_, poses in history} == {(1, 2)}
    looked = [looked for looked, *_ in history]
    assert sum(looked[:40]) < 40 or fps != 30
    assert looked[40] or not stall_s or detect_every


def test_without_a_detector_the_whole_frame_is_one_person_keypoints_lead_until_they_fade():
    tracker, history = Tracker(TrackerSettings(whole_frame=True)), []
    for i in range(90):
        now_s = i * STEP_S
        asked = tracker.needs_detection(now_s)
        tracked = tracker.update(now_s, found([0, 0, 640, 480], scores=1.0) if asked else None)
        points = points_in(box(200 + 60 * now_s), SHAPE) if i < 60 else NOWHERE
        tracker.observe(now_s, poses_for(tracked, points))
        history.append((asked, tracked))
    np.testing.assert_allclose(history[0][1].boxes_xyxy, [[0, 0, 640, 480]])
    assert not any(asked for asked, _ in history[1:60])
    np.testing.assert_allclose(history[59][1].boxes_xyxy[0], box(200 + 60 * 59 * STEP_S), atol=45)
    np.testing.assert_allclose(history[-1][1].boxes_xyxy, [[0, 0, 640, 480]])
    assert {int(tracked.track_ids[0]) for _, tracked in history} == {1}
