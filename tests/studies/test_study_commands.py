"""The studies from their command lines to their files."""

import csv
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.cli import main
from livepose.detection import Detections
from livepose.estimator import PoseEstimator
from livepose.evaluation import run
from studies.pareto.__main__ import main as pareto
from studies.peers import __main__ as comparing
from studies.peers.__main__ import main as peers
from studies.published.__main__ import main as paper
from studies.published.__main__ import published
from studies.quantisation import main as quantisation

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]


@pytest.fixture(autouse=True)
def spots(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every command opens the runtime that sees spots; the list is told what was asked for."""
    asked: list[Any] = []

    def opened(weights: str, *names: str, input_hw: object = None) -> SpotRuntime:
        asked.append((weights, input_hw, *names))
        return SpotRuntime()

    monkeypatch.setattr(run, "open_runtime", opened)
    return asked


def options(images: Path, annotations: Path, *more: str) -> list[str]:
    return ["--images", str(images), "--annotations", str(annotations), "--boxes", "gt", *more]


def compared(images: Path, path: Path, *more: str) -> tuple[list[Any], list[Any]]:
    """Rows and pairs of differences that the study of peers writes."""
    out = path.with_name("out.json")
    assert peers(options(images, path, "--no-speed", "--json", str(out), *more)) == 0
    document = json.loads(out.read_text())
    pairs = [(one["first"], one["second"]) for one in document["differences"]]
    return document["rows"], pairs


@pytest.mark.parametrize("path", sorted(Path("studies").glob("**/*.py")), ids=str)
def test_each_study_says_what_it_can_be_told(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = import_module(".".join(path.with_suffix("").parts))
    if hasattr(study, "main"):
        with pytest.raises(SystemExit, match="0"):
            study.main(["--help"])
        assert "usage: python -m studies." in capsys.readouterr().out


NOWHERE = {
    "angles": "--images no --annotations no",
    "detector_int8": "--images no --annotations no --dev-images no --dev-annotations no",
    "identity.__main__": "scenes --images no --annotations no",
    "jitter.__main__": "no.mp4",
    "learning_curve": "",
    "pck.__main__": "lsp --images no --annotations no",
    "peers.__main__": "--images no --annotations no --peer heat:no",
    "presence": "no",
    "published.__main__": "--measured no",
    "workers": "throughput no",
}


@pytest.mark.parametrize("study", NOWHERE)
def test_what_is_not_there_is_one_sentence(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main = import_module(f"studies.{study}").main
    monkeypatch.chdir(tmp_path)  # outside the repository
    assert main(NOWHERE[study].split()) in (2, 3)
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith("livepose: ")


def test_the_flip_study_shows_what_alignment_is_worth(make_set: MakeSet) -> None:
    images, path, _ = make_set(3)
    rows, _ = compared(images, path, "--flip-study")
    endings = ["DARK", "DARK + flip", "DARK + flip, misaligned"]
    assert [row["method"] for row in rows] == [f"livepose, {one}" for one in endings]
    assert rows[1]["ap"] > rows[2]["ap"]


def test_peers_stand_in_the_same_table(make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    class Guess:
        name, backbone, input_hw, own_boxes, cost = "guess", "none", (64, 64), True, None

        def estimate(self, image_bgr: Any, boxes_xyxy: Any, scores: Any) -> Any:
            from studies.peers.direct import People

            people = np.full((1, 17, 2), 35.0)
            return People(people, np.ones((1, 17)), np.zeros((1, 4)), np.ones(1))

    opened = {"heat": PoseEstimator(SpotRuntime("hrnet")), "guess": Guess()}
    monkeypatch.setattr(comparing, "open_peer", opened.__getitem__)
    images, path, _ = make_set(3)
    more = ("--peer", "heat", "--peer", "guess", "--peer-decode", "dark,shift")
    rows, pairs = compared(images, path, *more)
    methods = ["livepose, DARK", "hrnet_w32, DARK", "hrnet_w32, shift", "guess"]
    assert [row["method"] for row in rows] == methods
    assert [row["boxes"] for row in rows] == ["annotated"] * 3 + ["its own"]
    assert pairs == [
        ("hrnet_w32, shift 128x96, annotated boxes", "hrnet_w32, DARK 128x96, annotated boxes"),
        ("hrnet_w32, DARK 128x96, annotated boxes", "livepose, DARK 128x96, annotated boxes"),
        ("guess 64x64, its own boxes", "livepose, DARK 128x96, annotated boxes"),
    ]


def test_other_weights_of_livepose_are_read_alike_and_compared(
    make_set: MakeSet, tmp_path: Path
) -> None:
    images, path, _ = make_set(3)
    baseline = tmp_path / "baseline.safetensors"
    baseline.touch()
    rows, pairs = compared(images, path, "--peer", f"livepose:{baseline}", "--decode", "dark,shift")
    methods = ["livepose, DARK", "livepose, shift", "baseline, DARK", "baseline, shift"]
    assert [row["method"] for row in rows] == methods
    ending = "DARK 128x96, annotated boxes"
    assert pairs[-1] == (f"baseline, {ending}", f"livepose, {ending}")
    gone = ("--peer", f"livepose:{tmp_path / 'gone.safetensors'}")
    assert peers(options(images, path, *gone)) == 2


def test_the_papers_rows_are_told_apart_from_measured_ones(
    make_set: MakeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paper([]) == 0
    said = capsys.readouterr().out
    for name in ("G-RMI", "IPR", "CPN", "RMPE", "CFN", "DARK (extra data)", "Hourglass"):
        assert name in said
    # CFN's row is printed as it was printed.
    for note in ("not measured here", "livepose does not run it", "columns look shifted"):
        assert note in said
    assert "see measured" not in said
    images, path, _ = make_set(2)
    out = tmp_path / "out.json"
    assert main(["eval", "coco", *options(images, path, "--no-speed", "--json", str(out))]) == 0
    capsys.readouterr()
    assert paper(["--measured", str(out)]) == 0
    said = capsys.readouterr().out
    assert "see measured" in said and "measured here" in said
    assert "[100.0, 100.0]" in said  # three people: no figure without its interval
    assert paper(["--measured", str(path)]) == 2
    document = json.loads(out.read_text())
    for row in document["rows"]:
        del row["ap75"]
    (tmp_path / "lsp.json").write_text(json.dumps(document))
    assert paper(["--measured", str(tmp_path / "lsp.json")]) == 2
    assert "no published table" in capsys.readouterr().err
    capsys.readouterr()
    assert paper(["--measured", str(out), "--markdown", "-"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| Status | Set | Method | Backbone | Input | params_m |")
    own = [line for line in lines if line.startswith("| measured here |")]
    assert len(own) == 1
    assert "| 100.0 [100.0, 100.0] |" in own[0]


def test_published_figures_are_carried_over_unchanged(shared: Path) -> None:
    for own, golden in (("coco", "published_results.csv"), ("mpii", "published_results_mpii.csv")):
        with (shared / "golden" / golden).open(newline="") as file:
            assert published(own) == list(csv.DictReader(file))


def test_pareto_writes_a_plot_and_its_numbers(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        name = "slow"

        def __call__(self, all_images: Any) -> list[Detections]:
            __import__("time").sleep(0.01)
            return [Detections(np.empty((0, 4)), np.empty(0)) for _ in all_images]

    monkeypatch.setattr(run, "open_detector", lambda *_, **__: Slow())
    images, path, _ = make_set(3)
    name = tmp_path / "front"
    table, points_json = tmp_path / "front.md", tmp_path / "front.json"
    more = ("--decode", "dark,argmax", "--intervals", "1,4", "--output", str(name))
    more += ("--markdown", str(table), "--json", str(points_json))
    assert pareto(options(images, path, *more)) == 0
    assert len(json.loads(points_json.read_text())) == 8
    assert "| 1 | " in table.read_text()
    assert name.with_suffix(".png").stat().st_size > 5000
    with name.with_suffix(".csv").open() as file:
        points = list(csv.DictReader(file))
    assert len(points) == 2 * 2 * 2
    times = [float(one["ms"]) for one in points]
    assert times == sorted(times)
    assert points[0]["on_front"] == "True"
    slow = {(one["decode"], one["flip"], one["detect_every"]): float(one["ms"]) for one in points}
    assert slow["dark", "none", "1"] - slow["dark", "none", "4"] == pytest.approx(7.5, abs=3)


def test_the_quantisation_study_needs_no_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot, table = tmp_path / "study.png", tmp_path / "study.md"
    words = ["--plot", str(plot), "--markdown", str(table), "--points", "100"]
    assert quantisation(words) == 0
    assert plot.stat().st_size > 5000
    lines = [line.split(" | ") for line in table.read_text().splitlines() if "sub-pixel" in line]
    clean = {line[2]: float(line[3].split()[0]) for line in lines if line[1] == "0"}
    # A cell is 4 px: a highest cell alone is 1.53 px off in the mean (0.3826 of a cell).
    assert clean["argmax"] == pytest.approx(4 * 0.3826, abs=0.15)
    assert clean["dark"] < 0.05
    assert clean["dark"] < clean["shift"] < clean["argmax"]
    assert capsys.readouterr().out == ""
