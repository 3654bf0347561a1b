from dataclasses import dataclass

import numpy as np
import pytest

from livepose.poses import Poses
from livepose.tracking import Tracked, Tracker, TrackerSettings

STEP_S = 1 / 30
SHAPE = np.random.default_rng(7).uniform(0.12, 0.88, (17, 2))
"""Where the keypoints of a drawn person lie in its box."""


@dataclass(frozen=True)
class Found:
    boxes_xyxy: np.ndarray
    scores: np.ndarray


def box(x, y=200.0, w=80.0, h=200.0):
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def found(*boxes, scores=0.9):
    boxes_xyxy = np.array(boxes, dtype=float).reshape(-1, 4)
    return Found(boxes_xyxy, np.broadcast_to(np.array(scores, dtype=float), len(boxes_xyxy)))


def keypoints_in(true_box, shape=SHAPE):
    true_box = np.array(true_box, dtype=float)
    return true_box[:2] + shape * (true_box[2:] - true_box[:2])


def poses_for(tracked, keypoints, score=0.6):
    """Poses on the boxes of ``tracked``: ``keypoints`` is one (17, 2) for each, or None."""
    count = len(tracked)
    xy = np.full((count, 17, 2), np.nan)
    scores = np.zeros((count, 17))
    for row, points in enumerate(keypoints):
        if points is not None:
            xy[row], scores[row] = points, score
    return Poses(
        xy, scores, tracked.boxes_xyxy, tracked.scores, tracked.track_ids,
        np.full((count, 17, 2, 2), np.nan),
    )  # fmt: skip


def seen_by(tracked, true_boxes, shapes=None):
    """What a perfect pose network finds: in each box the person nearest its centre."""
    true_boxes = np.array(true_boxes, dtype=float).reshape(-1, 4)
    shapes = shapes or [SHAPE] * len(true_boxes)
    centres = (true_boxes[:, :2] + true_boxes[:, 2:]) / 2
    result = []
    for edges in tracked.boxes_xyxy:
        apart = np.hypot(*(centres - (edges[:2] + edges[2:]) / 2).T)
        nearest = int(np.argmin(apart)) if len(apart) else -1
        inside = nearest >= 0 and apart[nearest] < (edges[2:] - edges[:2]).max()
        result.append(keypoints_in(true_boxes[nearest], shapes[nearest]) if inside else None)
    return poses_for(tracked, result)


def run(tracker, paths, detect=lambda i, boxes: boxes, times_s=None, shapes=None, frames=60):
    """Plays moving people: ``paths`` map a time to a box. Ids, true boxes and poses a frame."""
    times_s = np.arange(frames) * STEP_S if times_s is None else times_s
    history = []
    for i, now_s in enumerate(times_s):
        true_boxes = [path(now_s) for path in paths]
        detections = found(*detect(i, true_boxes)) if tracker.needs_detection(now_s) else None
        tracked = tracker.update(now_s, detections)
        poses = tracker.observe(now_s, seen_by(tracked, true_boxes, shapes))
        history.append((detections is not None, true_boxes, poses))
    return history


def owner_of(poses, true_box):
    """Id of the pose whose keypoints are those of this person."""
    if not len(poses):
        return None
    centre = (np.array(true_box[:2]) + np.array(true_box[2:])) / 2
    centres = (poses.boxes_xyxy[:, :2] + poses.boxes_xyxy[:, 2:]) / 2
    apart = np.hypot(*(centres - centre).T)
    return int(poses.track_ids[np.argmin(apart)]) if apart.min() < 30 else None


# -- births and deaths -----------------------------------------------------------------------------


def play(tracker, *moments, start=0):
    """Plays what the detector finds in each picture; the ids of each."""
    return [
        tracker.update((start + i) * STEP_S, one).track_ids.tolist()
        for i, one in enumerate(moments)
    ]


def test_people_are_found_in_the_first_frame_and_nobody_in_an_empty_room():
    tracked = Tracker().update(0.0, found(box(100), box(400), scores=0.35))
    assert tracked.track_ids.tolist() == [1, 2]
    np.testing.assert_allclose(tracked.boxes_xyxy[0], box(100))
    assert isinstance(tracked, Tracked)
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


def test_a_flicker_is_never_a_person_and_uses_up_no_ids():
    tracker = Tracker()
    flickers = [
        found(box(100 + 150 * (i % 3)), scores=0.4) if i % 2 else found() for i in range(40)
    ]
    assert not any(play(tracker, *flickers))
    assert tracker.update(2.0, found(box(500))).track_ids.tolist() == [1]


@pytest.mark.parametrize("fps", [30, 100])
def test_death_comes_after_a_time_at_any_frame_rate(fps):
    tracker, now_s = Tracker(), 0.0
    tracker.update(0.0, found(box(100)))
    while len(tracker.predict(now_s)):
        now_s += 1 / fps
        tracker.update(now_s, None)
    assert now_s == pytest.approx(TrackerSettings().coast_s, abs=1.2 / fps)


@pytest.mark.parametrize(
    ("away_s", "who"), [(0.7, 1), (3.3, 2), (10.0, 2)], ids=["short", "long", "very long"]
)
def test_after_an_absence_somebody_is_the_same_or_a_new_person(away_s, who):
    tracker = Tracker()
    play(tracker, *[found(box(100 + 3 * i)) for i in range(10)])
    gone = play(tracker, *[found()] * round(away_s / STEP_S), start=10)
    assert gone[-1] == []
    back = tracker.update(10 * STEP_S + away_s, found(box(120)))
    assert back.track_ids.tolist() == [who]


def test_a_stall_of_ten_seconds_ends_all_tracks():
    tracker = Tracker()
    play(tracker, found(box(100)))
    assert tracker.update(10.0, found(box(100))).track_ids.tolist() == [2]


# -- identity --------------------------------------------------------------------------------------


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
        ([crossing(100, 200), crossing(500, -200)], {"detect_every": 1}),
        ([crossing(100, 200), crossing(500, -200)], {"detect_every": 4}),
        ([turning_back(100, 1), turning_back(580, -1)], {}),
        ([crossing(300, 0), crossing(100, 200)], {"detect": half_a_second_unseen}),
        ([crossing(100, 130), crossing(500, -130)], {"times_s": IRREGULAR_S}),
    ],
    ids=["crossing", "every 1", "every 4", "turn back", "occlusion", "irregular times"],
)
def test_ids_persist(paths, how):
    tracker = Tracker(TrackerSettings(detect_every=how.pop("detect_every", None)))
    history = run(tracker, paths, shapes=[SHAPE, SHAPE[:, ::-1]], **how)
    first, last = history[0], history[-1]
    ids = [owner_of(first[2], edges) for edges in first[1]]
    assert [owner_of(last[2], edges) for edges in last[1]] == ids
    assert sorted(ids) == [1, 2]


def test_two_trackers_do_not_share_ids():
    first, second = Tracker(), Tracker()
    first.update(0.0, found(box(100), box(300)))
    assert second.update(0.0, found(box(100))).track_ids.tolist() == [1]


def test_a_reset_tracker_is_as_new():
    tracker = Tracker()
    tracker.update(5.0, found(box(100), box(300)))
    tracker.reset()
    assert tracker.needs_detection(0.0)
    assert tracker.update(0.0, found(box(500))).track_ids.tolist() == [1]


def test_a_time_of_zero_is_a_time():
    tracker = Tracker(TrackerSettings(detect_every=5))
    tracker.update(0.0, found(box(100)))
    assert not tracker.needs_detection(STEP_S)
    moving = Tracker()
    moving.update(-STEP_S, found(box(100)))
    moving.update(0.0, found(box(110)))
    assert moving.predict(STEP_S).boxes_xyxy[0, 0] > moving.predict(0.0).boxes_xyxy[0, 0] + 1


def test_a_repeated_time_is_harmless():
    tracker = Tracker()
    with np.errstate(all="raise"):
        for _ in range(3):
            tracked = tracker.update(1.0, found(box(100)))
    assert tracked.track_ids.tolist() == [1]
    np.testing.assert_allclose(tracked.boxes_xyxy[0], box(100))


def test_time_that_runs_backwards_forgets_everybody():
    tracker = Tracker()
    tracker.update(60.0, found(box(100)))
    assert tracker.needs_detection(0.0)
    assert tracker.update(0.0, found(box(100))).track_ids.tolist() == [2]
    assert tracker.needs_detection(STEP_S)


def test_weak_detections_keep_alive_who_is_there():
    tracker = Tracker()
    for i in range(20):
        tracked = tracker.update(i * STEP_S, found(box(100), scores=0.9 if i < 3 else 0.2))
    assert tracked.track_ids.tolist() == [1]


def test_a_weak_detection_in_the_same_place_brings_somebody_lost_back():
    tracker = Tracker()
    for i in range(15):
        tracker.update(i * STEP_S, found(box(100)) if i < 10 else found())
    assert tracker.update(0.5, found(box(103), scores=0.3)).track_ids.tolist() == [1]


# -- bad and many detections -----------------------------------------------------------------------


def test_boxes_that_are_none_are_left_out():
    nan = float("nan")
    bad = [[nan] * 4, [50, 50, 50, 90], [90, 90, 20, 20], [0, 0, np.inf, 9], box(100)]
    tracked = Tracker().update(0.0, found(*bad))
    np.testing.assert_allclose(tracked.boxes_xyxy, [box(100)])
    assert len(Tracker().update(0.0, found(box(100), scores=nan))) == 0


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


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="max_people"):
        TrackerSettings(max_people=0)
    with pytest.raises(ValueError, match="finite seconds"):
        Tracker().update(float("nan"), None)


def test_two_people_one_before_the_other_are_two():
    shapes = [SHAPE, SHAPE[:, ::-1]]
    child_before_parent = [lambda _: box(300, h=300, w=150), lambda _: box(300, 270, 60, 150)]
    history = run(Tracker(), child_before_parent, shapes=shapes, frames=20)
    assert all(len(poses) == 2 for *_, poses in history)


def test_a_box_found_twice_is_one_person_once_the_keypoints_say_so():
    tracker = Tracker()
    double = box(100, h=160, w=70)
    for i in range(30):
        now_s = i * STEP_S
        tracked = tracker.update(now_s, found(box(100), double, scores=[0.9, 0.7]))
        poses = tracker.observe(now_s, seen_by(tracked, [box(100)]))
        assert poses.track_ids.tolist() == [1]
    assert tracker.update(1.1, found(box(100), box(400))).track_ids.tolist() == [1, 3]


def test_somebody_found_to_the_thighs_and_to_the_feet_is_one_person():
    """One head and one trunk, but two pairs of legs: the poses as a whole are not alike."""
    tracker = Tracker()
    whole, half = box(100, y=200, h=240), box(100, y=160, h=160)
    upper = keypoints_in(half)
    lower = upper.copy()
    lower[11:] += (0, 90)
    for i in range(60):
        now_s = i * STEP_S
        tracked = tracker.update(now_s, found(half, whole, scores=[0.7, 0.5]))
        heights = tracked.boxes_xyxy[:, 3] - tracked.boxes_xyxy[:, 1]
        legs = [upper if height < 200 else lower for height in heights]
        poses = tracker.observe(now_s, poses_for(tracked, legs))
        assert len(poses) == 1, f"picture {i}"


def seen_as(tracker, pictures, detector_score, keypoint_score):
    """Ids handed on in each picture: one box, keypoints of ``keypoint_score(picture)``."""
    ids = []
    for i in range(pictures):
        tracked = tracker.update(i * STEP_S, found(box(100), scores=detector_score))
        poses = poses_for(tracked, [keypoints_in(box(100))] * len(tracked), keypoint_score(i))
        ids.append(tracker.observe(i * STEP_S, poses).track_ids.tolist())
    return ids


def test_what_nothing_is_sure_of_is_a_coat_on_a_chair():
    assert seen_as(Tracker(), 60, 0.45, lambda _: 0.3) == [[]] * 60


@pytest.mark.parametrize("detector_score", [0.45, 0.3])
def test_one_sure_picture_of_a_chair_makes_it_somebody_for_three_pictures_at_most(detector_score):
    shown = seen_as(Tracker(), 90, detector_score, lambda i: 0.7 if i == 20 else 0.35)
    assert sum(len(ids) for ids in shown) <= 3


def test_a_post_that_keypoints_half_believe_is_nobody_after_three_pictures():
    rng = np.random.default_rng(0)
    shown = seen_as(Tracker(), 300, 0.45, lambda _: rng.uniform(0.42, 0.67))
    assert sum(len(ids) for ids in shown) <= 3


def test_whoever_is_never_sure_again_goes_within_half_a_second():
    shown = seen_as(Tracker(), 90, 0.45, lambda i: 0.8 if i < 45 else 0.3)
    gone = [i for i, ids in enumerate(shown) if not ids]
    assert gone == list(range(gone[0], 90))
    assert 45 <= gone[0] <= 45 + 0.5 / STEP_S + 1


def test_who_was_sure_for_a_while_or_walks_needs_less_to_stay():
    assert seen_as(Tracker(), 90, 0.45, lambda i: 0.8 if i < 30 else 0.45) == [[1]] * 90
    tracker, count = Tracker(), 0
    for i in range(60):
        tracked = tracker.update(i * STEP_S, found(box(100 + 3 * i), scores=0.45))
        points = keypoints_in(box(100 + 3 * i))
        count += len(tracker.observe(i * STEP_S, poses_for(tracked, [points] * len(tracked), 0.45)))
    assert count > 40


def test_a_few_sure_keypoints_at_the_edge_of_the_picture_are_enough():
    tracker = Tracker()
    tracked = tracker.update(0.0, found(box(100), scores=0.4))
    poses = poses_for(tracked, [keypoints_in(box(100))], 0.0)
    poses.keypoint_scores[0, :5] = 0.5
    assert tracker.observe(0.0, poses).track_ids.tolist() == [1]


@pytest.mark.parametrize("together", [True, False])
def test_somebody_found_in_two_boxes_is_one_person_even_if_the_boxes_take_turns(together):
    tracker, shown = Tracker(), []
    wide = box(100, h=190, w=95)
    for i in range(40):
        tracked = tracker.update(i * STEP_S, found(box(100), wide, scores=[0.9, 0.7]))
        turn = np.arange(len(tracked)) % 2 == i % 2 if len(tracked) > 1 and not together else None
        looked = tracked if turn is None else tracked.select(turn)
        tracker.observe(i * STEP_S, seen_by(looked, [box(100)]))
        shown.append(len(tracker.predict(i * STEP_S)))
    assert shown[3:] == [1] * 37


# -- boxes between detections ----------------------------------------------------------------------


def test_boxes_follow_keypoints_while_the_detector_rests():
    tracker = Tracker(TrackerSettings(detect_every=10_000))
    history = run(tracker, [crossing(100, 120)], frames=90)
    assert sum(looked for looked, *_ in history) == 1
    _, true_boxes, poses = history[-1]
    np.testing.assert_allclose(poses.boxes_xyxy[0], true_boxes[0], atol=20)


def test_boxes_follow_somebody_who_comes_nearer():
    def path(now_s):
        return box(300, 200, 80 * (1 + 0.3 * now_s), 200 * (1 + 0.3 * now_s))

    history = run(Tracker(TrackerSettings(detect_every=10_000)), [path], frames=90)
    _, true_boxes, poses = history[-1]
    got, true = poses.boxes_xyxy[0], np.array(true_boxes[0])
    assert (got[3] - got[1]) / (true[3] - true[1]) == pytest.approx(1.0, abs=0.1)


def test_a_box_neither_shrinks_nor_drifts_on_a_still_person():
    tracker = Tracker(TrackerSettings(detect_every=10_000))
    rng = np.random.default_rng(0)
    for i in range(300):
        now_s = i * STEP_S
        tracked = tracker.update(now_s, found(box(300)) if tracker.needs_detection(now_s) else None)
        tracker.observe(
            now_s, poses_for(tracked, [keypoints_in(box(300)) + rng.normal(0, 1, (17, 2))])
        )
    np.testing.assert_allclose(tracked.boxes_xyxy[0], box(300), atol=20)


def test_prediction_leads_a_walker_and_changes_nothing():
    tracker = Tracker()
    for i in range(20):
        tracker.update(i * STEP_S, found(box(100 + 6 * i)))
    ahead = tracker.predict(20 * STEP_S)
    np.testing.assert_allclose(ahead.boxes_xyxy[0], box(220), atol=3)
    np.testing.assert_array_equal(ahead.boxes_xyxy, tracker.predict(20 * STEP_S).boxes_xyxy)
    assert ahead.track_ids.tolist() == [1]


# -- when the detector rests -----------------------------------------------------------------------


def still(tracker, frames, score=0.6, start=0):
    """Somebody who stands still; whether the detector was asked, a frame."""
    asked = []
    for i in range(start, start + frames):
        now_s = i * STEP_S
        asked.append(tracker.needs_detection(now_s))
        tracked = tracker.update(now_s, found(box(300)) if asked[-1] else None)
        tracker.observe(now_s, poses_for(tracked, [keypoints_in(box(300))], score))
    return asked


def test_the_detector_looks_at_each_frame_for_a_second_then_rests_for_half_a_second_at_most():
    asked = still(Tracker(), 150)
    assert all(asked[:30])
    assert sum(asked[31:91]) <= 5
    assert np.diff(np.flatnonzero(asked)).max() * STEP_S <= 0.5 + 1.01 * STEP_S


def test_keypoints_that_fade_call_the_detector_back_at_once():
    for settings in (TrackerSettings(), TrackerSettings(detect_every=1000)):
        tracker = Tracker(settings)
        still(tracker, 40)
        assert not tracker.needs_detection(40 * STEP_S)
        still(tracker, 1, score=0.2, start=40)
        assert tracker.needs_detection(41 * STEP_S)


def test_detect_every_counts_frames():
    asked = still(Tracker(TrackerSettings(detect_every=5)), 40)
    assert np.flatnonzero(asked).tolist() == list(range(0, 40, 5))


def test_fast_and_crossing_people_are_looked_at_more_often():
    calm = sum(still(Tracker(), 120)[40:])
    fast = run(Tracker(), [crossing(100, 250)], frames=120)
    near = run(Tracker(), [lambda _: box(300), lambda _: box(340)], frames=120,
               shapes=[SHAPE, SHAPE[:, ::-1]])  # fmt: skip
    assert sum(looked for looked, *_ in fast[40:]) > 1.5 * calm
    assert sum(looked for looked, *_ in near[40:]) > 2 * calm


def test_people_side_by_side_are_looked_at_less_often_than_one_who_passes_another():
    def looks(speed):
        paths = [lambda _: box(300), lambda t: box(340 + speed * t)]
        history = run(Tracker(), paths, frames=120, shapes=[SHAPE, SHAPE[:, ::-1]])
        return sum(looked for looked, *_ in history[36:50])

    assert looks(0.0) <= 4
    assert looks(-60.0) >= 6


def test_keypoints_carry_somebody_whom_the_detector_misses_for_a_while():
    tracker = Tracker(TrackerSettings(detect_every=1))
    history = run(tracker, [lambda _: box(300)], detect=lambda i, b: b if i < 5 else [], frames=90)
    present = [len(poses) for *_, poses in history]
    assert all(present[: 5 + 40])
    assert not any(present[5 + 50 :])


# -- no detector -----------------------------------------------------------------------------------

WHOLE = found([0, 0, 640, 480], scores=1.0)


def follow_without_detector(tracker, paths_s, person):
    tracked = None
    for now_s in paths_s:
        detections = WHOLE if tracker.needs_detection(now_s) else None
        tracked = tracker.update(now_s, detections)
        points = person(now_s)
        tracker.observe(now_s, poses_for(tracked, [points]))
        yield detections is not None, tracked


def test_without_a_detector_the_whole_frame_is_one_person_then_keypoints_lead():
    tracker = Tracker(TrackerSettings(whole_frame=True))
    times_s = np.arange(60) * STEP_S
    history = list(
        follow_without_detector(tracker, times_s, lambda t: keypoints_in(box(200 + 60 * t)))
    )
    np.testing.assert_allclose(history[0][1].boxes_xyxy, [[0, 0, 640, 480]])
    assert not any(asked for asked, _ in history[1:])
    np.testing.assert_allclose(history[-1][1].boxes_xyxy[0], box(200 + 60 * times_s[-1]), atol=45)
    assert {int(tracked.track_ids[0]) for _, tracked in history} == {1}


def test_without_a_detector_faded_keypoints_go_back_to_the_whole_frame():
    tracker = Tracker(TrackerSettings(whole_frame=True))
    times_s = np.arange(40) * STEP_S
    history = list(
        follow_without_detector(
            tracker, times_s, lambda t: keypoints_in(box(200)) if t < 0.6 else None
        )
    )
    assert np.ptp(history[15][1].boxes_xyxy[0, 0::2]) < 200
    np.testing.assert_allclose(history[-1][1].boxes_xyxy, [[0, 0, 640, 480]])


# -- observe ---------------------------------------------------------------------------------------


def test_poses_of_unknown_ids_pass_untouched():
    tracker = Tracker()
    tracker.update(0.0, found(box(100)))
    strangers = Tracked(np.array([box(100), box(300)]), np.array([0, 77]), np.ones(2))
    poses = poses_for(strangers, [keypoints_in(box(100)), keypoints_in(box(300))])
    assert tracker.observe(0.0, poses).track_ids.tolist() == [0, 77]


def test_identities_that_boxes_exchanged_are_mended_by_pose():
    tracker = Tracker()
    shapes = [SHAPE, SHAPE[:, ::-1]]
    places = [box(300), box(330)]
    for i in range(5):
        tracked = tracker.update(i * STEP_S, found(*places))
        tracker.observe(
            i * STEP_S, poses_for(tracked, [keypoints_in(places[k], shapes[k]) for k in (0, 1)])
        )
    tracked = tracker.update(5 * STEP_S, found(*places))
    exchanged = poses_for(tracked, [keypoints_in(places[k], shapes[k]) for k in (1, 0)])
    assert tracker.observe(5 * STEP_S, exchanged).track_ids.tolist() == [2, 1]


def test_skeletons_without_known_precision_can_be_followed():
    tracker = Tracker(oks_sigmas=None)
    for i in range(40):
        tracked = tracker.update(i * STEP_S, found(box(300)))
        poses = tracker.observe(i * STEP_S, poses_for(tracked, [keypoints_in(box(300))]))
    assert poses.track_ids.tolist() == [1]


def test_the_input_is_not_modified():
    tracker = Tracker()
    detections = found(box(100))
    tracked = tracker.update(0.0, detections)
    poses = poses_for(tracked, [keypoints_in(box(100))])
    for array in (detections.boxes_xyxy, poses.keypoints_xy, poses.boxes_xyxy, poses.track_ids):
        array.setflags(write=False)
    tracker.observe(0.0, poses)
    tracker.update(STEP_S, detections)


def test_who_stands_behind_somebody_stays_without_keypoints():
    """The pose network sees only whoever stands before; the detector finds both."""
    tracker, shapes = Tracker(), [SHAPE, SHAPE[:, ::-1]]
    front, behind = box(300), box(330)
    for i in range(60):
        now_s = i * STEP_S
        tracked = tracker.update(now_s, found(front, behind))
        covered = 30 <= i < 45
        poses = [keypoints_in(front, shapes[0]), keypoints_in(behind, shapes[1])]
        seen = poses_for(tracked, [poses[0], poses[0]] if covered else poses)
        made = tracker.observe(now_s, seen)
        assert made.track_ids.tolist() == [1, 2]
        assert np.isfinite(made.keypoints_xy[0]).all()
        assert np.isnan(made.keypoints_xy[1]).all() == covered
        assert (made.keypoint_scores[1] == 0).all() == covered


def stretching(pictures, histograms):
    """Somebody with arms stretched out, found in a wide box, a narrow one, or both."""
    tracker, handed_on = Tracker(), []
    wide, narrow = box(300, w=200), box(310, w=84)
    own = keypoints_in(box(300, w=180))
    for i in range(pictures):
        now_s = 0.1 * i
        boxes = {"wide": [wide], "narrow": [narrow], "both": [wide, narrow]}[histograms(i)]
        tracked = tracker.update(now_s, found(*boxes, scores=0.7))
        handed_on.append(tracker.observe(now_s, poses_for(tracked, [own] * len(tracked))))
    return handed_on


@pytest.mark.parametrize(
    "histograms",
    [
        lambda i: "wide" if i < 3 else "both",
        lambda i: ("both", "wide", "both", "narrow")[i % 4],
        lambda i: "wide" if i < 8 else "narrow",
        lambda i: "wide" if i < 8 else ("both" if i < 20 else "narrow"),
    ],
)
def test_somebody_found_in_two_boxes_is_one_person_with_one_id(histograms):
    for picture, poses in enumerate(stretching(40, histograms)):
        assert poses.track_ids.tolist() == [1], f"picture {picture}"
        assert np.isfinite(poses.keypoints_xy).all(), f"picture {picture}"


# -- few pictures, few people ----------------------------------------------------------------------


@pytest.mark.parametrize("fps", [1, 2, 2.5, 3, 3.3, 5, 12, 30, 60, 120])
@pytest.mark.parametrize("detect_every", [None, 5])
def test_nobody_vanishes_between_pictures_at_any_rate(fps, detect_every):
    tracker = Tracker(TrackerSettings(detect_every=detect_every))
    times_s = np.arange(40) / fps
    paths = [lambda t: box(200 + 10 * np.sin(t)), lambda t: box(500)]
    history = run(tracker, paths, times_s=times_s)
    assert {tuple(poses.track_ids.tolist()) for *_, poses in history} == {(1, 2)}
    if len(history) / fps > 1 and fps >= 5:
        assert sum(looked for looked, *_ in history) < len(history)


@pytest.mark.parametrize("stall_s", [0.4, 1.0, 2.0])
def test_after_a_stall_the_detector_looks_and_whoever_stayed_is_the_same(stall_s):
    times_s = np.concatenate([np.arange(60) / 30, 2.0 + stall_s + np.arange(30) / 30])
    history = run(Tracker(), [lambda t: box(200), lambda t: box(500)], times_s=times_s)
    assert {tuple(poses.track_ids.tolist()) for *_, poses in history} == {(1, 2)}
    assert history[60][0]


@pytest.mark.parametrize("most", [1, 2, 3])
def test_those_who_are_handed_out_stay_whoever_else_seems_larger(most):
    rng = np.random.default_rng(3)

    def detect(i, boxes):
        return [
            box(x, w=80 * g, h=200 * g)
            for x, g in zip((100, 300, 500, 700), rng.uniform(0.7, 1.4, 4), strict=True)
        ]

    tracker = Tracker(TrackerSettings(max_people=most))
    paths = [lambda t, x=x: box(x) for x in (100, 300, 500, 700)]
    history = run(tracker, paths, detect=detect, frames=90)
    shown = [tuple(poses.track_ids.tolist()) for *_, poses in history]
    assert len(set(shown)) == 1 and len(shown[0]) == most


def test_whoever_is_missed_for_a_moment_keeps_the_place():
    def detect(i, boxes):
        return boxes if not 30 <= i < 36 else boxes[1:]

    tracker = Tracker(TrackerSettings(max_people=1, detect_every=1))
    paths = [lambda t: box(200, w=90, h=220), lambda t: box(500)]
    history = run(tracker, paths, detect=detect)
    assert {tuple(poses.track_ids.tolist()) for *_, poses in history} <= {(1,), ()}
