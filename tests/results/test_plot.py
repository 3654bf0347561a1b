"""``livepose plot``: the page of positions, speeds and angles."""

import numpy as np
import pytest
from results.people import bent, frame, moved, people

from livepose.cli import main
from livepose.results.plot import draw_page, series, speed
from livepose.results.reading import read
from livepose.sinks.jsonl import JsonLinesSink, make_header

HEADER = make_header(source="photos", size_wh=(640, 480))


def record(path, frames=12, ids=(1, 2, 3, 4), **header):
    """The first is there all the time, the last for a tenth of it; all move 90 px a second."""
    with JsonLinesSink(path, {**HEADER, **header}) as sink:
        for index in range(frames):
            turned = moved(bent(6 * index), 3 * index)
            there = [one for place, one in enumerate(ids) if index < frames * 0.1 ** (place / 3)]
            sink.write(frame(index, index / 30), people([turned] * len(there), ids=there))


@pytest.fixture
def results(tmp_path):
    record(tmp_path / "walk.jsonl", frames=60)
    return read(tmp_path / "walk.jsonl")


def test_the_page_has_positions_speeds_and_angles_of_everybody_shown(results):
    titles = [axis.get_title() for axis in draw_page(results).axes[:3]]
    assert titles == ["person 1", "person 2", "person 3"]  # seen for longest
    axes = np.array(draw_page(results, [1, 2]).axes).reshape(5, 2)
    labels = [axis.get_ylabel() for axis in axes[:, 0]]
    assert labels == ["x (px)", "y (px)", "speed (px/s)", "knee, hip (°)", "elbow, shoulder (°)"]
    lines = [[line.get_label() for line in axis.get_lines()[::2]] for axis in axes[:, 0]]
    assert lines[0] == ["left wrist", "right wrist", "left ankle", "right ankle"]
    assert lines[4] == ["left elbow", "right elbow", "left shoulder", "right shoulder"]
    assert all(len(axis.collections) == 4 for axis in axes.ravel())  # the bands
    knee = axes[3, 0].get_lines()[0].get_ydata()
    np.testing.assert_allclose(np.diff(knee)[:25], 6.0, atol=0.2)


@pytest.mark.parametrize(("frames", "dots"), [(1, 1), (60, 0)])
def test_a_value_without_neighbours_is_a_dot(frames, dots, tmp_path):
    record(tmp_path / "short.jsonl", frames=frames)
    lines = draw_page(read(tmp_path / "short.jsonl")).axes[0].get_lines()
    assert [len(line.get_xdata()) for line in lines if line.get_marker() == "."] == [dots] * 4


def test_speed_is_known_with_its_deviation(results):
    wrist = speed(*(series(results.keypoints(), 1, "left_wrist", at) for at in "xy"))
    np.testing.assert_allclose(wrist.value, 90.0, atol=0.5)
    # The slope through n values a step apart has the deviation sigma / sqrt(sum of squares).
    steps_s = np.array([-1, 0, 1]) / 30
    np.testing.assert_allclose(wrist.sigma[5:-5], 2 / np.sqrt((steps_s**2).sum()), rtol=0.01)


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".html", b"<!doctype html>")]
)
def test_the_command_writes_each_kind_of_page_and_none_over_another(
    suffix, start, tmp_path, capsys
):
    page = tmp_path / f"page{suffix}"
    record(tmp_path / "walk.jsonl")
    words = ["plot", str(tmp_path / "walk.jsonl"), "--id", "1", "--output", str(page)]
    assert main(words) == 0
    assert page.read_bytes().startswith(start)
    assert main(words) == 2
    assert f"page{suffix} is there already" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.part"))


def test_the_files_of_a_folder_get_pages_beside_them_and_what_holds_nobody_is_left_out(
    tmp_path, capsys
):
    for name in ("a.jsonl", "b.jsonl"):
        record(tmp_path / name, ids=(1,))
    record(tmp_path / "images.jsonl", frames=1, kind="images")
    (tmp_path / "run.jsonl").write_text('{"source": "a manifest"}\n')
    assert main(["plot", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {"a.png", "b.png"}
    assert "left out: photos: nobody was followed" in capsys.readouterr().err


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
def test_what_cannot_be_plotted_is_refused(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    record(tmp_path / "walk.jsonl")
    (tmp_path / "clips").mkdir()
    assert main(["plot", *words]) == 2
    assert said in capsys.readouterr().err
