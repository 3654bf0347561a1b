"""Clips with a known truth, and what is measured on them."""

import numpy as np
import pytest

from livepose.errors import DataError
from studies.jitter.__main__ import main
from studies.jitter.curves import presets
from studies.jitter.measures import measure_against, truth_of
from studies.jitter.recording import Recording
from studies.jitter.report import costs, table
from studies.jitter.scenes import MOVES, apply

FPS, JOINTS = 30.0, 17


def recording(move="still", noise=0.0, delay=0, images=120):
    """One person of 200 px whose keypoints are seen with noise (px), ``delay`` images late."""
    times_s = np.arange(images) / FPS
    matrices = MOVES[move].matrices(times_s, (640, 480), 1.0)
    places = np.random.default_rng(1).uniform(200, 400, (JOINTS, 2))
    true = apply(matrices, places)
    late = np.concatenate([np.repeat(true[:1], delay, axis=0), true[: images - delay]])
    seen = late + np.random.default_rng(0).normal(0, noise, late.shape)
    middle = true.mean(axis=1)
    return Recording(
        name=move,
        fps=FPS,
        times_s=times_s,
        matrices=matrices,
        boxes_xyxy=np.concatenate([middle - 100, middle + 100], axis=1)[:, None],
        keypoints_xy=seen[:, None],
        keypoint_scores=np.full((images, 1, JOINTS), 0.9),
        covariance_px2=np.tile(81.0 * np.eye(2), (images, 1, JOINTS, 1, 1)),
    )


def measured(*recordings, found=None):
    truths = [truth_of(one) for one in recordings]
    return measure_against(recordings, truths, found or [one.keypoints_xy for one in recordings])


@pytest.mark.parametrize("delay", [0, 3])
def test_noise_and_lag_are_found_again(delay):
    still = measured(recording("still", noise=1.5))
    assert still.tremble_px == pytest.approx(1.5, rel=0.05)
    one = recording("pan", noise=0.5, delay=0)
    late = recording("pan", noise=0.5, delay=delay)
    found = measured(one, found=[late.keypoints_xy])
    assert found.lag_ms == pytest.approx(1e3 * delay / FPS, abs=1.5)
    assert found.rough_percent == pytest.approx(100 * 0.5 / 200, rel=0.2)


def test_the_default_trembles_less_and_lags_less_than_one_euro_on_made_paths():
    clips = [recording("still", noise=1.2), recording("stop-and-go", noise=1.2)]
    figures = presets(clips, [truth_of(one) for one in clips])
    euro, ours = figures["one-euro"], figures["balanced"]
    assert ours.tremble_px < 0.7 * euro.tremble_px
    assert ours.lag_ms < 0.7 * euro.lag_ms
    assert "balanced: adds" in "\n".join(costs(figures))
    assert "| one-euro |" in table(figures, "filter")


def test_a_recording_is_read_as_it_was_written(tmp_path):
    one = recording("pan", noise=1.0)
    one.save(tmp_path / "a.npz")
    again = Recording.load(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.keypoints_xy, one.keypoints_xy)
    assert (again.name, again.fps) == ("pan", FPS)
    (tmp_path / "b.npz").write_bytes(b"something else")
    with pytest.raises(DataError, match="is not a recording"):
        Recording.load(tmp_path / "b.npz")


def test_the_command_wants_a_video_or_photographs_and_not_both(capsys):
    assert main([]) == 2
    assert main(["--synthetic", "--images", "x"]) == 2
    assert "belong together" in capsys.readouterr().err
