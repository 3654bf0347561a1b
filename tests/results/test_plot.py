"""``livepose plot``: the page of positions, speeds and angles."""

from pathlib import Path

import numpy as np
import pytest
from results.people import STANDING_XY, bent, frame, moved, people

from livepose.cli import main
from livepose.results.plot import draw_page, series, speed
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


def test_the_page_has_positions_speeds_and_angles_of_everybody_shown(results: Results) -> None:
    assert [axis.get_title() for axis in draw_page(results).axes[:3]] == [
        f"person {longest_seen}" for longest_seen in (1, 2, 3)
    ]
    axes = np.array(draw_page(results, [1, 2]).axes).reshape(5, 2)
    labels = [axis.get_ylabel() for axis in axes[:, 0]]
    assert labels == ["x (px)", "y (px)", "speed (px/s)", "knee, hip (°)", "elbow, shoulder (°)"]
    lines = [[line.get_label() for line in axis.get_lines()] for axis in axes[:, 0]]
    assert lines[0] == ["left wrist", "right wrist", "left ankle", "right ankle"]
    assert lines[4] == ["left elbow", "right elbow", "left shoulder", "right shoulder"]
    assert all(len(axis.collections) == 4 for axis in axes.ravel())  # the bands
    knee = axes[3, 0].get_lines()[0].get_ydata()
    np.testing.assert_allclose(np.diff(knee)[:25], 6.0, atol=0.2)


def test_speed_is_known_with_its_deviation(results: Results) -> None:
    wrist = speed(*(series(results.keypoints(), 1, "left_wrist", at) for at in "xy"))
    np.testing.assert_allclose(wrist.value, 90.0, atol=0.5)
    # The slope through n values a step apart has the deviation sigma / sqrt(sum of squares).
    steps_s = np.array([-1, 0, 1]) / 30
    np.testing.assert_allclose(wrist.sigma[5:-5], 2 / np.sqrt((steps_s**2).sum()), rtol=0.01)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".html", b"<!doctype html>")]
)
def test_the_command_writes_each_kind_of_page_and_none_over_another(
    suffix: str, start: bytes, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    walk, page = str(recorded(tmp_path / "walk.jsonl", 12)), tmp_path / f"page{suffix}"
    words = ["plot", walk, "--id", "1", "--output", str(page)]
    assert main(words) == 0
    assert page.read_bytes().startswith(start)
    assert main(words) == 2
    assert f"page{suffix} is there already" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.part"))


def test_the_files_of_a_folder_get_pages_beside_them_and_what_holds_nobody_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        recorded(tmp_path / name, 12, ids=(1,))
    (tmp_path / "run.jsonl").write_text('{"source": "a manifest"}\n')
    with JsonLinesSink(tmp_path / "images.jsonl", {**HEADER, "kind": "images"}) as sink:
        sink.write(frame(0), people(STANDING_XY, ids=[1]))
    assert main(["plot", str(tmp_path)]) == 0
    assert (tmp_path / "a.png").exists() and (tmp_path / "b.png").exists()
    assert "left out: photos: nobody was followed" in capsys.readouterr().err
    assert not (tmp_path / "images.png").exists() and not (tmp_path / "run.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["walk.jsonl", "--output", "page.txt"], "expected a name that ends"),
        (["walk.jsonl", "walk.jsonl", "--output", "page.png"], "names one page"),
        (["nothing.jsonl"], "cannot read"),
        (["walk.jsonl", "--id", "77"], "has the id 77"),
        (["clips"], "--output-dir OUT --json, then livepose plot OUT"),
    ],
)
def test_what_cannot_be_plotted_is_refused(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    recorded(tmp_path / "walk.jsonl", 12)
    (tmp_path / "clips").mkdir()
    assert main(["plot", *words]) == 2
    assert said in capsys.readouterr().err
