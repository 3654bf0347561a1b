"""The studies from their command lines to their files."""

import csv
import json
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from evaluation_sets import SpotRuntime, evaluated, options

from livepose.cli import main
from livepose.detection import Detections
from livepose.estimator import PoseEstimator
from livepose.evaluation import run
from livepose.evaluation.report import BACKBONES
from livepose.evaluation.speed import network_cost
from studies.pareto.__main__ import main as pareto
from studies.peers import __main__ as comparing
from studies.peers.__main__ import main as peers
from studies.peers.direct import People
from studies.published.__main__ import BACKBONES_HERE, published, runs_here
from studies.published.__main__ import main as paper
from studies.quantisation import main as quantisation

pytestmark = pytest.mark.usefixtures("spots")
ROOT = Path(__file__).resolve().parents[2]
STUDIES = [path for path in ROOT.glob("studies/**/*.py") if "\ndef main(" in path.read_text()]
NAMES = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in STUDIES]
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


@pytest.mark.parametrize("name", NAMES)
def test_each_study_says_what_it_can_be_told(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        import_module(name).main(["--help"])
    assert "usage: python -m studies." in capsys.readouterr().out


@pytest.mark.parametrize("study", NOWHERE)
def test_what_is_not_there_is_one_sentence(study, tmp_path, monkeypatch, capsys):
    main = import_module(f"studies.{study}").main
    monkeypatch.chdir(tmp_path)  # outside the repository
    assert main(NOWHERE[study].split()) in (2, 3)
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith("livepose: ")


def annotated(images, path, *more):
    return options(images, path, "--boxes", "gt", *more)


def compared(images, path, *more):
    """Methods, pairs of differences and AP that the study of peers writes."""
    document = evaluated(peers, annotated(images, path, *more), path.parent)
    pairs = [(one["first"], one["second"]) for one in document["differences"]]
    return [row["method"] for row in document["rows"]], pairs, document["rows"]


def test_the_flip_study_shows_what_alignment_is_worth(make_set):
    images, path, _ = make_set(3)
    methods, _, rows = compared(images, path, "--flip-study")
    endings = ["DARK", "DARK + flip", "DARK + flip, misaligned"]
    assert methods == [f"livepose, {one}" for one in endings]
    assert rows[1]["ap"] > rows[2]["ap"]


def test_peers_stand_in_the_same_table(make_set, monkeypatch):
    class Guess:
        name, backbone, input_hw, own_boxes, cost = "guess", "none", (64, 64), True, None

        def estimate(self, image_bgr, boxes_xyxy, scores):
            people = np.full((1, 17, 2), 35.0)
            return People(people, np.ones((1, 17)), np.zeros((1, 4)), np.ones(1))

    opened = {"heat": PoseEstimator(SpotRuntime("hrnet")), "guess": Guess()}
    monkeypatch.setattr(comparing, "open_peer", opened.__getitem__)
    images, path, _ = make_set(3)
    more = ("--peer", "heat", "--peer", "guess", "--peer-decode", "dark,shift")
    methods, pairs, rows = compared(images, path, *more)
    assert methods == ["livepose, DARK", "hrnet_w32, DARK", "hrnet_w32, shift", "guess"]
    assert [row["boxes"] for row in rows] == ["annotated"] * 3 + ["its own"]
    assert pairs == [
        ("hrnet_w32, shift 128x96, annotated boxes", "hrnet_w32, DARK 128x96, annotated boxes"),
        ("hrnet_w32, DARK 128x96, annotated boxes", "livepose, DARK 128x96, annotated boxes"),
        ("guess 64x64, its own boxes", "livepose, DARK 128x96, annotated boxes"),
    ]


def test_other_weights_of_livepose_are_read_alike_and_compared(make_set, tmp_path):
    (images, path, _), baseline = make_set(3), tmp_path / "baseline.safetensors"
    baseline.touch()
    more = ("--peer", f"livepose:{baseline}", "--decode", "dark,shift")
    methods, pairs, _ = compared(images, path, *more)
    assert methods == ["livepose, DARK", "livepose, shift", "baseline, DARK", "baseline, shift"]
    ending = "DARK 128x96, annotated boxes"
    assert pairs[-1] == (f"baseline, {ending}", f"livepose, {ending}")
    gone = ("--peer", f"livepose:{tmp_path / 'gone.safetensors'}")
    assert peers(annotated(images, path, *gone)) == 2


def test_the_papers_rows_are_told_apart_from_measured_ones(make_set, tmp_path, capsys):
    assert paper([]) == 0
    said = capsys.readouterr().out
    for name in ("G-RMI", "IPR", "CPN", "RMPE", "CFN", "DARK (extra data)", "Hourglass"):
        assert name in said
    # CFN's row is printed as it was printed.
    for note in ("not measured here", "livepose does not run it", "columns look shifted"):
        assert note in said
    assert "see measured" not in said
    (images, path, _), out = make_set(2), tmp_path / "out.json"
    document = evaluated(main, ["eval", "coco", *annotated(images, path)], tmp_path)
    capsys.readouterr()
    assert paper(["--measured", str(out), "--markdown", "-"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("| Status | Set | Method | Backbone | Input | params_m |")
    assert "see measured" in said
    [own] = [line for line in said.splitlines() if line.startswith("| measured here |")]
    assert "| 100.0 [100.0, 100.0] |" in own  # three people: no figure without its interval
    assert paper(["--measured", str(path)]) == 2
    for row in document["rows"]:
        del row["ap75"]
    out.write_text(json.dumps(document))
    assert paper(["--measured", str(out)]) == 2
    assert "no published table" in capsys.readouterr().err


def test_published_figures_are_carried_over_unchanged(shared):
    for own, golden in (("coco", "published_results.csv"), ("mpii", "published_results_mpii.csv")):
        with (shared / "golden" / golden).open(newline="") as file:
            assert published(own) == list(csv.DictReader(file))


def test_every_published_row_that_is_said_to_run_has_a_network_of_that_cost():
    rows = [row for row in published("coco") if runs_here(row)]
    assert {row["backbone"] for row in rows} == BACKBONES_HERE
    names, side_px = {title: name for name, title in BACKBONES.items()}, 64
    told = ("backbone", "input_size_hw", "params_m", "gflops")
    printed = sorted({tuple(row[name] for name in told) for row in rows if row["gflops"]})
    assert len(printed) >= 15
    for backbone, size, params_m, gflops in printed:
        height, width = map(int, size.split("x"))
        cost = network_cost(names[backbone], 17, (side_px, side_px))  # counted once a network
        assert cost.params_m == pytest.approx(float(params_m), abs=0.06), (backbone, size)
        grown = cost.gflops * height * width / side_px**2
        # Printed figures of one ResNet differ by 1 % between sources (35.3 and 35.6).
        assert grown == pytest.approx(float(gflops), abs=0.06, rel=0.012), (backbone, size)


def test_pareto_writes_a_plot_and_its_numbers(make_set, tmp_path, monkeypatch):
    def slow(every):
        time.sleep(0.01)
        return [Detections(np.empty((0, 4)), np.empty(0)) for _ in every]

    monkeypatch.setattr(run, "open_detector", lambda *_, **__: slow)
    (images, path, _), name = make_set(3), tmp_path / "front"
    table, points_json = tmp_path / "front.md", tmp_path / "front.json"
    more = ("--decode", "dark,argmax", "--intervals", "1,4", "--output", str(name))
    more += ("--markdown", str(table), "--json", str(points_json))
    assert pareto(annotated(images, path, *more)) == 0
    assert len(json.loads(points_json.read_text())) == 8
    assert "| 1 | " in table.read_text()
    assert name.with_suffix(".png").stat().st_size > 5000
    with name.with_suffix(".csv").open() as file:
        points = list(csv.DictReader(file))
    assert len(points) == 2 * 2 * 2
    times = [float(one["ms"]) for one in points]
    assert times == sorted(times)
    assert points[0]["on_front"] == "True"
    ms = {(one["decode"], one["flip"], one["detect_every"]): float(one["ms"]) for one in points}
    assert ms["dark", "none", "1"] - ms["dark", "none", "4"] == pytest.approx(7.5, abs=3)


def test_the_quantisation_study_needs_no_data(tmp_path, capsys):
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
