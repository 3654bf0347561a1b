"""``livepose eval`` from the command line to their files, and in the documentation's tables."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from evaluation_sets import SpotRuntime, evaluated, options

from livepose.cli import main, parser_of
from livepose.detection import Detections, Detector
from livepose.evaluation import run
from livepose.skeletons import SKELETONS

pytestmark = pytest.mark.usefixtures("spots")
DOCS = Path(__file__).resolve().parents[2] / "docs"


def coco(images, annotations, *more):
    """In annotated boxes where nothing else is said."""
    return ["eval", "coco", *options(images, annotations, "--boxes", "gt", *more)]


def test_coco_scores_all_decoders_and_writes_what_was_asked_for(make_set, spots, tmp_path, capsys):
    images, path, _ = make_set(5, as_zip=True)
    out, results = tmp_path / "out.json", tmp_path / "results.json"
    more = ("--decode", "dark,argmax", "--flip-test", "--json", str(out), "--results", str(results))
    chosen = ("--weights", "w", "--input", "128x96", "--runtime", "torch", "--precision", "f32")
    assert main(coco(images, path, *more, *chosen)) == 0
    document = json.loads(out.read_text())
    first, second = document["rows"]
    told = {"method": "livepose, DARK + flip", "backbone": "HRNet-W32", "input_size_hw": "128x96"}
    told |= {"ap": 100.0, "apl": None, "boxes": "annotated", "runtime": "spots, cpu, f32"}
    assert first.items() >= told.items()
    assert spots == [("w", (128, 96), "torch", "auto", "f32")]
    assert (first["params_m"], first["gflops"]) == pytest.approx((28.5, 1.8), abs=0.1)
    assert set(first["intervals_95"]) == {"ap", "ap50", "ap75", "apm", "apl", "ar"}
    assert first["crops_per_s"] > 0 and first["end_to_end_ms"] > 0
    [apart] = document["differences"]
    assert apart["first"] == "livepose, argmax + flip 128x96, annotated boxes"
    assert apart["points"] == pytest.approx(second["ap"] - first["ap"], abs=0.01)
    assert (document["images"], document["people"]) == (5, 9)
    written = json.loads(results.read_text())
    assert len(written) == 9
    assert set(written[0]) == {"image_id", "category_id", "keypoints", "score"}
    said = capsys.readouterr().out
    assert all(head in said for head in ("AP50", "AR", "Params M", "GFLOPs", "Crops/s"))


def test_json_and_markdown_go_to_stdout_when_asked(make_set, capsys):
    images, path, _ = make_set(2)
    assert main(coco(images, path, "--no-speed", "--json", "-")) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["crops_per_s"] is None
    assert main(coco(images, path, "--no-speed", "--decode", "dark,argmax", "--markdown", "-")) == 0
    heading, _, dark, argmax = (
        [cell.strip() for cell in line[1:-1].split("|")]
        for line in capsys.readouterr().out.strip().splitlines()
    )
    assert heading[:5] == ["Method", "Backbone", "Input", "Boxes", "Params M"]
    assert "Crops/s" not in heading  # nothing of it was measured
    place = heading.index("minus first")
    assert dark[place] == ""
    assert argmax[place].startswith(("+", "-"))


class Finds(Detector):
    """Finds the same in every image."""

    def __init__(self, found):
        self._found = found

    def __call__(self, images_bgr):
        return [self._found for _ in images_bgr]


def test_boxes_come_from_a_file_or_from_the_detector(make_set, tmp_path, monkeypatch):
    images, path, document = make_set(3)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([one | {"score": 0.9} for one in document["annotations"]]))
    [row] = evaluated(main, coco(images, path, "--boxes", str(boxes)), tmp_path)["rows"]
    assert row["ap"] == pytest.approx(100.0)
    left = Detections(np.array([[13.0, 27.0, 53.0, 87.0]]), np.array([0.8]))  # the left one of two
    for found, recall in ((left, 60.0), (Detections(np.empty((0, 4)), np.empty(0)), 0.0)):
        detector = Finds(found)
        monkeypatch.setattr(run, "open_detector", lambda *_, one=detector, **__: one)
        words = ["eval", "coco", *options(images, path)]
        end_to_end, given = evaluated(main, words, tmp_path)["rows"]
        assert [end_to_end["boxes"], given["boxes"]] == ["detector's", "annotated"]
        assert end_to_end["ar"] == pytest.approx(recall)
        assert given["ap"] == pytest.approx(100.0)
    monkeypatch.setattr(run, "open_detector", lambda *_, **__: None)
    assert main(coco(images, path, "--boxes", "detector")) == 2


def test_a_missed_gate_is_exit_code_six_and_what_cannot_be_is_refused(make_set, spots, capsys):
    images, path, _ = make_set(1)
    for option, value, code, says in (
        ("--json", "gone/out", 1, "gone does not exist"),
        ("--results", str(images), 1, "it is a folder"),
        ("--require-ap", "99", 0, ""),
        ("--require-ap", "101", 6, "expected at least 101.0 AP"),
        ("--boxes", "gone.json", 2, "gone.json cannot be read"),
    ):
        assert main(coco(images, path, "--no-speed", option, value)) == code
        assert says in capsys.readouterr().err
        assert bool(spots) == (code != 1)  # said before the work
    for wrong in (("--input", "128"), ("--limit", "0"), ("--decode", "darc"), ("--peer", "a:b")):
        with pytest.raises(SystemExit, match="2"):
            main(coco(images, path, *wrong))


@pytest.mark.parametrize(("sigma", "right"), [(0.9, True), (0.01, False)])
def test_names_and_sigmas_of_an_own_skeleton_count(make_set, tmp_path, monkeypatch, sigma, right):
    """The set has another order, and a hat far off; its tip is 6 px from the spot."""
    own, name = tmp_path / "own.toml", f"own{sigma}"
    own.write_text(
        f'name = "{name}"\nkeypoints = ["grip", "tip", "heel"]\nsigmas = [0.1, {sigma}, 0.1]\n'
    )
    runtime = SpotRuntime(skeleton=SKELETONS[str(own)].name)
    monkeypatch.setattr(run, "open_runtime", lambda *_, **__: runtime)
    images, path, document = make_set(3)
    names = ["hat", "heel", "tip", "grip"]
    document["categories"] = [{"id": 1, "name": "person", "keypoints": names}]
    for one in document["annotations"]:
        x, y = one["keypoints"][:2]
        one["keypoints"] = [x + 500, y, 2, x, y, 2, x + 6, y, 2, x, y, 2]
    path.write_text(json.dumps(document))
    [row] = evaluated(main, coco(images, path, "--flip-test"), tmp_path)["rows"]
    assert row["ap"] == pytest.approx(100.0) if right else 10 < row["ap"] < 60
    SKELETONS.pop(name)


def test_every_documented_command_is_one_that_the_command_line_takes():
    text = (DOCS / "evaluation.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(livepose eval .*?)```", text, re.DOTALL)
    for line in runpy.run_path(str(DOCS / "tables.py"))["commands"](block[1]):
        words = line[line.index("eval") + 1 :]
        assert parser_of("eval").parse_args(words).part == "coco"
