"""``livepose plot``: the page of positions, speeds and angles."""

from pathlib import Path

import numpy as np
import pytest
from results.people import STANDING_XY, bent, frame, moved, people

from livepose.cli import main
from livepose.errors import UsageError
from livepose.poses import Poses
from livepose.results.plot import Series, draw_page, positions, slopes, speed
from livepose.results.reading import Results, read
from livepose.sinks.jsonl import JsonLinesSink, make_header

HEADER = make_header(source="photos", size_wh=(640, 480))


def recorded(path: Path, frames: int = 60, rate_hz: float = 30.0, ids=(1, 2, 3, 4)) -> Path:
    """The first is there all the time, the last for a tenth of it; all move 90 px a second."""
    with JsonLinesSink(path, HEADER) as sink:
        for index in range(frames):
            time_s = index / rate_hz
            turned = moved(bent("left_knee", "left_ankle", 6 * index), 90 * time_s)
            there = [one for place, one in enumerate(ids) if index < frames * 0.1 ** (place / 3)]
            sink.write(frame(index, time_s), people([turned] * len(there), ids=there))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return read(recorded(tmp_path / "walk.jsonl"))


def test_those_who_were_seen_for_longest_are_shown_or_those_who_are_asked_for(
    results: Results,
) -> None:
    for ids, shown in (((), [1, 2, 3]), ((4, 2), [4, 2])):
        titles = [axis.get_title() for axis in draw_page(results, ids).axes[: len(shown)]]
        assert titles == [f"person {one}" for one in shown]
    with pytest.raises(UsageError, match="nobody has the id 9; there are 1, 2, 3, 4"):
        draw_page(results, [9])


def test_the_page_has_positions_speeds_and_angles_of_everybody_shown(results: Results) -> None:
    figure = draw_page(results, [1, 2])
    axes = np.array(figure.axes).reshape(5, 2)
    labels = [axis.get_ylabel() for axis in axes[:, 0]]
    assert labels == ["x (px)", "y (px)", "speed (px/s)", "knee, hip (°)", "elbow, shoulder (°)"]
    lines = [[line.get_label() for line in axis.get_lines()] for axis in axes[:, 0]]
    assert lines[0] == ["left wrist", "right wrist", "left ankle", "right ankle"]
    assert lines[3] == ["left knee", "right knee", "left hip", "right hip"]
    assert lines[4] == ["left elbow", "right elbow", "left shoulder", "right shoulder"]
    assert all(len(axis.collections) == 4 for axis in axes.ravel())  # the bands
    low, high = axes[1, 0].get_ylim()
    assert low > high  # as in the image, y goes down
    knee = axes[3, 0].get_lines()[0].get_ydata()
    np.testing.assert_allclose(np.diff(knee)[:25], 6.0, atol=0.2)


def test_speed_is_known_with_its_deviation(results: Results) -> None:
    x, y = (positions(results, 1, at)[0] for at in (0, 1))
    wrist = speed(x, y)
    np.testing.assert_allclose(wrist.value, 90.0, atol=0.5)
    # The slope through n values a step apart has the deviation sigma / sqrt(sum of squares).
    steps_s = np.array([-1, 0, 1]) / 30
    np.testing.assert_allclose(wrist.sigma[5:-5], 2 / np.sqrt((steps_s**2).sum()), rtol=0.01)


def test_a_slope_needs_two_values_and_leaves_out_what_is_missing() -> None:
    time_s = np.arange(9) / 50
    value = 100 * time_s
    value[[3, 4]] = np.nan
    slope, sigma = slopes(Series("nose", time_s, value, np.ones(9)))
    np.testing.assert_allclose(slope[[0, 2, 5, 8]], 100.0)
    assert np.isnan(slope[[3, 4]]).all()
    assert np.isfinite(sigma[[0, 8]]).all()
    rare, _ = slopes(Series("nose", np.arange(5) / 5, np.arange(5) * 2.0, np.ones(5)))
    np.testing.assert_allclose(rare, 10.0)
    assert np.isnan(slopes(Series("nose", time_s[:1], value[:1], np.ones(1)))[0]).all()


def test_lines_do_not_cross_a_gap(tmp_path: Path) -> None:
    with JsonLinesSink(tmp_path / "gap.jsonl", HEADER) as sink:
        for index in [*range(10), *range(30, 40)]:
            sink.write(frame(index), people(STANDING_XY))
    drawn = draw_page(read(tmp_path / "gap.jsonl")).axes[0].get_lines()[0].get_ydata()
    assert np.isnan(drawn).sum() == 1


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".html", b"<!doctype html>")]
)
def test_the_command_writes_each_kind_of_page_the_same_way_twice(
    suffix: str, start: bytes, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    walk, page = str(recorded(tmp_path / "walk.jsonl", 12)), tmp_path / f"page{suffix}"
    words = ["plot", walk, "--id", "1", "--output", str(page)]
    assert main(words) == 0
    first = page.read_bytes()
    assert first.startswith(start)
    assert main(words) == 2
    assert f"page{suffix} is there already" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert page.read_bytes() == first
    assert not list(tmp_path.glob("*.part"))


def test_files_and_folders_get_pages_beside_them_and_what_holds_nobody_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        recorded(tmp_path / name, 12)
    assert main(["plot", *map(str, tmp_path.glob("*.jsonl"))]) == 0
    assert (tmp_path / "a.png").exists() and (tmp_path / "b.png").exists()
    (tmp_path / "run.jsonl").write_text('{"source": "a manifest"}\n')
    with JsonLinesSink(tmp_path / "images.jsonl", {**HEADER, "kind": "images"}) as sink:
        sink.write(frame(0), people(STANDING_XY, ids=[1]))
    assert main(["plot", str(tmp_path), "--overwrite"]) == 0
    assert "left out: photos: nobody was followed" in capsys.readouterr().err
    assert not (tmp_path / "images.png").exists() and not (tmp_path / "run.png").exists()


def test_what_cannot_be_plotted_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = str(recorded(tmp_path / "walk.jsonl", 12))
    (tmp_path / "clips").mkdir()
    (tmp_path / "walk.mp4").write_bytes(bytes(range(256)))
    with JsonLinesSink(tmp_path / "no.jsonl", HEADER) as sink:
        sink.write(frame(0), Poses.empty())
    for words, said in (
        ([path, "--output", str(tmp_path / "page.txt")], "expected a name that ends"),
        ([path, path, "--output", str(tmp_path / "page.png")], "names one page"),
        ([str(tmp_path / "nothing.jsonl")], "cannot read"),
        ([path, "--id", "77"], "has the id 77"),
        ([str(tmp_path / "clips")], "--output-dir OUT --json, then livepose plot OUT"),
        ([str(tmp_path / "walk.mp4")], "livepose SOURCE --json FILE"),
        ([str(tmp_path / "no.jsonl")], "nobody was followed"),
    ):
        assert main(["plot", *words]) == 2
        assert said in capsys.readouterr().err
