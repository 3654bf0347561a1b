"""``livepose plot``: the page of positions, speeds and angles."""

from pathlib import Path

import numpy as np
import pytest
from results.people import STANDING_XY, bent, frame, moved, people

from livepose.cli import main
from livepose.errors import DataError, UsageError
from livepose.poses import Poses
from livepose.results.plot import Series, chosen_ids, draw_page, positions, slopes, speed
from livepose.results.reading import Results, read
from livepose.sinks.jsonl import JsonLinesSink, make_header


def recorded(path: Path, frames: int = 60, rate_hz: float = 30.0, ids=(1, 2, 3, 4)) -> Path:
    """The first is there all the time, the last for a tenth of it; all move 90 px a second."""
    with JsonLinesSink(path, make_header(source="walk.mp4", size_wh=(640, 480))) as sink:
        for index in range(frames):
            time_s = index / rate_hz
            turned = moved(bent("left_knee", "left_ankle", 6 * index), 90 * time_s)
            there = [one for place, one in enumerate(ids) if index < frames * 0.1 ** (place / 3)]
            sink.write(frame(index, time_s), people([turned] * len(there), ids=there))
    return path


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return read(recorded(tmp_path / "walk.jsonl"))


def test_those_who_were_seen_for_longest_are_shown(results: Results) -> None:
    assert chosen_ids(results, ()) == [1, 2, 3]
    assert chosen_ids(results, [4, 2]) == [4, 2]
    with pytest.raises(UsageError, match="nobody has the id 9; there are 1, 2, 3, 4"):
        chosen_ids(results, [9])


def test_the_page_has_positions_speeds_and_angles_of_everybody_shown(results: Results) -> None:
    figure = draw_page(results, [1, 2])
    axes = np.array(figure.axes).reshape(5, 2)
    labels = [axis.get_ylabel() for axis in axes[:, 0]]
    assert labels == [
        *("x (px)", "y (px)", "speed (px/s)", "knee, hip (°)", "elbow, shoulder (°)"),
    ]
    lines = [[line.get_label() for line in axis.get_lines()] for axis in axes[:, 0]]
    assert lines[0] == ["left wrist", "right wrist", "left ankle", "right ankle"]
    assert lines[3] == ["left knee", "right knee", "left hip", "right hip"]
    assert lines[4] == ["left elbow", "right elbow", "left shoulder", "right shoulder"]
    assert all(len(axis.collections) == 4 for axis in axes.ravel())  # the bands
    low, high = axes[1, 0].get_ylim()
    assert low > high  # as in the picture, y goes down
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
    path = tmp_path / "gap.jsonl"
    with JsonLinesSink(path, make_header(source="a", size_wh=(640, 480))) as sink:
        for index in [*range(10), *range(30, 40)]:
            sink.write(frame(index), people(STANDING_XY))
    drawn = draw_page(read(path)).axes[0].get_lines()[0].get_ydata()
    assert np.isnan(drawn).sum() == 1


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".html", b"<!doctype html>")]
)
def test_the_command_writes_each_kind_of_page_the_same_way_twice(
    suffix: str, start: bytes, tmp_path: Path
) -> None:
    path = recorded(tmp_path / "walk.jsonl", 12)
    pages = []
    for name in ("one", "two"):
        page = tmp_path / f"{name}{suffix}"
        assert main(["plot", str(path), "--id", "1", "--output", str(page)]) == 0
        pages.append(page.read_bytes())
    assert pages[0].startswith(start)
    assert pages[0] == pages[1]
    assert not list(tmp_path.glob("*.part"))


def test_several_files_get_a_page_each_beside_them(tmp_path: Path) -> None:
    files = [str(recorded(tmp_path / name, 12)) for name in ("a.jsonl", "b.jsonl")]
    assert main(["plot", *files]) == 0
    assert (tmp_path / "a.png").exists() and (tmp_path / "b.png").exists()


def test_a_folder_of_results_is_plotted_and_one_without_says_how_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    recorded(tmp_path / "a.jsonl", 12)
    (tmp_path / "run.jsonl").write_text('{"source": "a manifest"}\n')
    assert main(["plot", str(tmp_path)]) == 0
    assert (tmp_path / "a.png").exists()
    assert "left out" in capsys.readouterr().err
    (tmp_path / "films").mkdir()
    assert main(["plot", str(tmp_path / "films")]) == 2
    assert "--output-dir OUT --json, then livepose plot OUT" in capsys.readouterr().err
    (tmp_path / "walk.mp4").write_bytes(bytes(range(256)))
    assert main(["plot", str(tmp_path / "walk.mp4")]) == 2
    assert "livepose SOURCE --json FILE" in capsys.readouterr().err


def test_of_several_files_those_without_anybody_are_left_out_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pictures = tmp_path / "pictures.jsonl"
    with JsonLinesSink(
        pictures, make_header(source="photos", size_wh=(640, 480), kind="images")
    ) as sink:
        sink.write(frame(0), people(STANDING_XY, ids=[1]))
    walk = str(recorded(tmp_path / "walk.jsonl", 12))
    assert main(["plot", str(pictures), walk]) == 0
    assert "left out: photos: nobody was followed" in capsys.readouterr().err
    assert main(["plot", str(pictures)]) == 2
    assert (tmp_path / "walk.png").exists() and not (tmp_path / "pictures.png").exists()


def test_a_page_that_is_there_is_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    walk = str(recorded(tmp_path / "walk.jsonl", 12))
    (tmp_path / "walk.png").write_text("dear to somebody")
    assert main(["plot", walk]) == 2
    assert "walk.png is there already" in capsys.readouterr().err
    assert main(["plot", walk, "--overwrite"]) == 0
    assert (tmp_path / "walk.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_plotted_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = recorded(tmp_path / "walk.jsonl", 12)
    for words in (
        ["plot", str(path), "--output", str(tmp_path / "page.txt")],
        ["plot", str(path), str(path), "--output", str(tmp_path / "page.png")],
        ["plot", str(tmp_path / "nothing.jsonl")],
        ["plot", str(path), "--id", "77"],
    ):
        assert main(words) == 2
    said = capsys.readouterr().err
    for words in ("expected a name that ends", "names one page", "cannot read", "has the id 77"):
        assert words in said
    with JsonLinesSink(tmp_path / "no.jsonl", make_header(source="a", size_wh=(9, 9))) as sink:
        sink.write(frame(0), Poses.empty())
    with pytest.raises(DataError, match="nobody was followed"):
        draw_page(read(tmp_path / "no.jsonl"))
