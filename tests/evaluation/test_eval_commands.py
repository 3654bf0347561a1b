"""``livepose eval`` and ``livepose decode`` from the command line to their files."""

import csv
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.cli import evaluate, main
from livepose.detection import Detections
from livepose.estimator import PoseEstimator
from livepose.evaluation import coco_run, pareto, pck_run
from livepose.evaluation.published import paper_coco, published, status
from livepose.heatmaps import decode_dark, encode_dark

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]


@pytest.fixture(autouse=True)
def spots(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every command opens the runtime that sees spots; the list is told what was asked for."""
    asked: list[Any] = []

    def opened(*arguments: Any) -> PoseEstimator:
        asked.append(arguments)
        return PoseEstimator(SpotRuntime())

    for module in (coco_run, pck_run, pareto):
        monkeypatch.setattr(module, "open_estimator", opened)
    return asked


def options(images: Path, annotations: Path, *more: str) -> list[str]:
    return ["--images", str(images), "--annotations", str(annotations), *more]


def test_coco_scores_all_decoders_and_writes_what_was_asked_for(
    make_set: MakeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(5, as_zip=True)
    out, results = tmp_path / "out.json", tmp_path / "results.json"
    more = ("--decode", "dark,argmax", "--flip-test", "--json", str(out), "--results", str(results))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    document = json.loads(out.read_text())
    first, second = document["rows"]
    assert first["method"] == "livepose, DARK + flip"
    assert (first["backbone"], first["input_size_hw"]) == ("HRNet-W32", "128x96")
    assert first["params_m"] == pytest.approx(28.5, abs=0.1)
    assert first["gflops"] == pytest.approx(1.8, abs=0.05)
    assert first["ap"] == pytest.approx(100.0)
    assert set(first["intervals_95"]) == {"ap", "ap50", "ap75", "apm", "apl", "ar"}
    assert first["apl"] is None
    assert first["runtime"] == "spots, cpu, f32"
    assert first["crops_per_s"] > 0
    assert first["end_to_end_ms"] > 0
    assert second["ap"] < first["ap"] or second["ap"] == 100
    first_apart = document["differences"][0]
    assert first_apart["first"] == "livepose, argmax + flip 128x96"
    assert first_apart["points"] == pytest.approx(second["ap"] - first["ap"], abs=0.01)
    assert (document["pictures"], document["people"]) == (5, 9)
    written = json.loads(results.read_text())
    assert len(written) == 9
    assert set(written[0]) == {"image_id", "category_id", "keypoints", "score"}
    said = capsys.readouterr()
    assert said.out == ""
    for heading in ("AP50", "AR", "Params M", "GFLOPs", "Crops/s"):
        assert heading in said.err


def test_json_and_markdown_go_to_stdout_when_asked(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(2)
    assert main(["eval", "coco", *options(images, path, "--no-speed", "--json", "-")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["crops_per_s"] is None
    assert main(["eval", "coco", *options(images, path, "--no-speed", "--markdown", "-")]) == 0
    assert capsys.readouterr().out.startswith("| Method | Backbone | Input | Params M |")


def test_the_flip_study_shows_what_alignment_is_worth(make_set: MakeSet, tmp_path: Path) -> None:
    images, path, _ = make_set(3)
    out = tmp_path / "out.json"
    more = ("--flip-study", "--no-speed", "--json", str(out))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    rows = json.loads(out.read_text())["rows"]
    assert [row["method"].removeprefix("livepose, ") for row in rows] == [
        "DARK",
        "DARK + flip",
        "DARK + flip, misaligned",
    ]
    assert rows[1]["ap"] > rows[2]["ap"]


def test_boxes_come_from_a_file_or_from_the_detector(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, path, document = make_set(3)
    entries = [
        {"image_id": one["image_id"], "category_id": 1, "bbox": one["bbox"], "score": 0.9}
        for one in document["annotations"]
    ]
    boxes, out = tmp_path / "boxes.json", tmp_path / "out.json"
    boxes.write_text(json.dumps(entries))
    more = ("--boxes", str(boxes), "--no-speed", "--json", str(out))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    assert json.loads(out.read_text())["rows"][0]["ap"] == pytest.approx(100.0)

    class Detector:
        name = "boxes of the left half"

        def __call__(self, pictures: Any) -> list[Detections]:
            found = Detections(np.array([[13.0, 27.0, 53.0, 87.0]]), np.array([0.8]))
            return [found for _ in pictures]

    monkeypatch.setattr(coco_run, "open_detector", lambda *_, **__: Detector())
    more = ("--boxes", "detector", "--no-speed", "--json", str(out))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    row = json.loads(out.read_text())["rows"][0]
    assert row["ar"] == pytest.approx(60.0)
    monkeypatch.setattr(coco_run, "open_detector", lambda *_, **__: None)
    assert main(["eval", "coco", *options(images, path, *more)]) == 2


def test_batches_and_workers_change_no_figure(make_set: MakeSet, tmp_path: Path) -> None:
    images, path, _ = make_set(5, as_zip=True)
    found = []
    for batch, workers in (("1", "1"), ("4", "3"), ("32", "2")):
        out = tmp_path / "out.json"
        more = ("--batch", batch, "--workers", workers, "--no-speed", "--json", str(out))
        more += ("--decode", "dark,argmax,fused", "--flip-test")
        assert main(["eval", "coco", *options(images, path, *more)]) == 0
        document = json.loads(out.read_text())
        assert document["settings"]["loading"] == {"batch": int(batch), "workers": int(workers)}
        found.append((document["rows"], document["differences"]))
    assert found[0] == found[1] == found[2]


class Bars:
    """Notes how far each progress bar came, and how far it should."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.total: dict[str, int] = {}

    def __call__(self, name: str, total: int) -> Callable[[int], None]:
        self.total[name] = total
        self.done[name] = 0

        def advance(count: int) -> None:
            self.done[name] += count

        return advance


@pytest.mark.parametrize(
    ("words", "passes"),
    [
        (("coco", "--boxes", "detector", "--no-speed"), {"detecting", "livepose"}),
        (("coco", "--pareto", "front", "--intervals", "1"), {"pass"}),
        (("lsp", "--no-speed"), {"livepose"}),
    ],
)
def test_every_pass_has_a_bar_that_comes_to_its_end(
    make_set: MakeSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    passes: set[str],
) -> None:
    bars = Bars()
    monkeypatch.setattr(evaluate, "progress_bars", lambda: nullcontext(bars))
    found = Detections(np.array([[13.0, 27.0, 53.0, 87.0]]), np.array([0.8]))
    detect = lambda pictures: [found for _ in pictures]  # noqa: E731
    monkeypatch.setattr(coco_run, "open_detector", lambda *_, **__: detect)
    images, path, document = make_set(4)
    if words[0] == "lsp":
        lsp_set(document, path)
    monkeypatch.chdir(tmp_path)
    assert main(["eval", words[0], *options(images, path, *words[1:])]) == 0
    assert set(bars.total) == passes
    assert bars.done == bars.total
    assert all(total > 0 for total in bars.total.values())


def test_bars_are_drawn_where_somebody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for watched in (False, True):
        monkeypatch.setenv("FORCE_COLOR" if watched else "NO_COLOR", "1")
        with evaluate.progress_bars() as progress:
            progress("looking", 2)(1)
        said = capsys.readouterr()
        assert ("looking" in said.err) == watched
        assert said.out == ""


def test_a_gate_that_is_missed_is_exit_code_six(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(2)
    passed = options(images, path, "--no-speed", "--require-ap", "99")
    missed = options(images, path, "--no-speed", "--require-ap", "101")
    assert main(["eval", "coco", *passed]) == 0
    assert main(["eval", "coco", *missed]) == 6
    assert "expected at least 101.0 AP" in capsys.readouterr().err


def test_the_options_reach_the_runtime(make_set: MakeSet, spots: list[Any]) -> None:
    images, path, _ = make_set(1)
    more = ("--weights", "w", "--input", "256x192", "--runtime", "torch", "--precision", "f32")
    assert main(["eval", "coco", *options(images, path, "--no-speed", *more)]) == 0
    assert spots[0][:5] == ("w", (256, 192), "torch", "auto", "f32")
    more = ("--no-speed", "--runtime", "tensorrt")
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    assert spots[1][2] == "tensorrt"


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ((), [(None, "auto")]),
        (("--input", "256x192", "--precision", "f32"), [((256, 192), "f32")]),
        (
            ("--inputs", "96x64,128x96", "--precisions", "f32,bf16"),
            [((96, 64), "f32"), ((128, 96), "f32"), ((96, 64), "bf16"), ((128, 96), "bf16")],
        ),
    ],
)
def test_pareto_runs_what_was_asked_for(
    make_set: MakeSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spots: list[Any],
    more: tuple[str, ...],
    wanted: list[tuple[Any, str]],
) -> None:
    monkeypatch.setattr(coco_run, "open_detector", lambda *_, **__: None)
    images, path, _ = make_set(1)
    words = ("--pareto", str(tmp_path / "front"), "--intervals", "1", *more)
    assert main(["eval", "coco", *options(images, path, *words)]) == 0
    assert [(asked[1], asked[4]) for asked in spots] == wanted


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--decode", "darc"), "--decode"),
        (("--decode", "fused"), "--flip-test"),
        (("--peer", "nothing:here"), "--peer"),
        (("--boxes", "gone.json"), "gone.json"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_exit_code_two(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], says: str
) -> None:
    images, path, _ = make_set(1)
    assert main(["eval", "coco", *options(images, path, *more)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize("option", ["--json", "--markdown", "--results", "--pareto"])
def test_where_nothing_can_be_written_is_said_before_the_work(
    make_set: MakeSet, spots: list[Any], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    images, path, _ = make_set(1)
    for place, says in (("gone/out", "no folder gone"), (str(images), "it is a folder")):
        assert main(["eval", "coco", *options(images, path, option, place)]) == 1
        assert says in capsys.readouterr().err
    assert spots == []


def test_ctrl_c_is_exit_code_130(make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    images, path, _ = make_set(1)

    def interrupted(self: SpotRuntime, crops_bgr: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(SpotRuntime, "__call__", interrupted)
    assert main(["eval", "coco", *options(images, path)]) == 130


def test_a_table_says_how_far_each_row_is_from_the_first(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(2)
    more = ("--no-speed", "--decode", "dark,argmax", "--markdown", "-")
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    heading, _, dark, argmax = capsys.readouterr().out.strip().splitlines()
    names = [cell.strip() for cell in heading[1:-1].split("|")]
    assert "Crops/s" not in names  # nothing of it was measured
    place = names.index("minus first")
    assert dark[1:-1].split("|")[place].strip() == ""
    assert argmax[1:-1].split("|")[place].strip().startswith(("+", "-"))


def test_wrong_sizes_and_numbers_are_refused_by_the_parser(make_set: MakeSet) -> None:
    images, path, _ = make_set(1)
    for wrong in (("--input", "128"), ("--limit", "0"), ("--intervals", "1,x")):
        with pytest.raises(SystemExit, match="2"):
            main(["eval", "coco", *options(images, path, *wrong)])
    assert main(["eval"]) == 2


def test_peers_stand_in_the_same_table(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Guess:
        name, backbone, input_hw, own_boxes, cost = "guess", "none", (64, 64), True, None

        def estimate(self, image_bgr: Any, boxes_xyxy: Any, scores: Any) -> Any:
            from livepose.evaluation.peers.direct import People

            people = np.full((1, 17, 2), 35.0)
            return People(people, np.ones((1, 17)), np.zeros((1, 4)), np.ones(1))

    peers = {"heat": PoseEstimator(SpotRuntime("hrnet")), "guess": Guess()}
    monkeypatch.setattr(coco_run, "open_peer", peers.__getitem__)
    images, path, _ = make_set(3)
    out = tmp_path / "out.json"
    more = ("--peer", "heat", "--peer", "guess", "--peer-decode", "dark,shift")
    more += ("--json", str(out))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    document = json.loads(out.read_text())
    assert [row["method"] for row in document["rows"]] == [
        "livepose, DARK",
        "hrnet_w32, DARK",
        "hrnet_w32, shift",
        "guess",
    ]
    assert [row["boxes"] for row in document["rows"]] == ["gt", "gt", "gt", "own"]
    pairs = [(one["first"], one["second"]) for one in document["differences"]]
    assert pairs == [
        ("hrnet_w32, shift 128x96", "hrnet_w32, DARK 128x96"),
        ("hrnet_w32, DARK 128x96", "livepose, DARK 128x96"),
        ("guess 64x64", "livepose, DARK 128x96"),
    ]


def test_other_weights_of_livepose_are_read_alike_and_compared(
    make_set: MakeSet, tmp_path: Path
) -> None:
    images, path, _ = make_set(3)
    rival, out = tmp_path / "rival.safetensors", tmp_path / "out.json"
    rival.touch()
    more = ("--peer", f"livepose:{rival}", "--decode", "dark,shift", "--json", str(out))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    document = json.loads(out.read_text())
    assert [row["method"] for row in document["rows"]] == [
        *("livepose, DARK", "livepose, shift", "rival, DARK", "rival, shift"),
    ]
    pairs = [(one["first"], one["second"]) for one in document["differences"]]
    assert pairs[-1] == ("rival, DARK 128x96", "livepose, DARK 128x96")
    gone = ("--peer", f"livepose:{tmp_path / 'gone.safetensors'}")
    assert main(["eval", "coco", *options(images, path, *gone)]) == 2


def lsp_set(document: dict[str, Any], path: Path) -> None:
    """Gives everybody a torso: half of the points move, so only the spot's are right."""
    for one in document["annotations"]:
        x, y = one["keypoints"][:2]
        one["keypoints"][3 * 12 : 3 * 12 + 2] = [x, y + 40]
    path.write_text(json.dumps(document))


def test_lsp_gives_pck_by_joint(make_set: MakeSet, tmp_path: Path) -> None:
    images, path, document = make_set(4)
    lsp_set(document, path)
    out = tmp_path / "out.json"
    more = ("--decode", "dark,argmax", "--no-speed", "--json", str(out))
    assert main(["eval", "lsp", *options(images, path, *more)]) == 0
    content = json.loads(out.read_text())
    row = content["rows"][0]
    assert row["shoulder"] == row["ankle"] == 100.0
    assert row["hip"] == 50.0
    assert row["mean"] == pytest.approx(100 * 11 / 12, abs=0.01)
    assert row["intervals_95"]["mean"] == [pytest.approx(91.67, abs=0.01)] * 2
    assert content["differences"][0]["column"] == "mean"


def test_mpii_gives_pckh_by_joint_at_both_thresholds(
    make_set: MakeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, _, document = make_set(3)
    entries = []
    for one in document["annotations"]:
        x, y = one["keypoints"][:2]
        entries.append(
            {
                "image": f"{one['image_id'] - 100:03d}.png",
                "center": [x + 1, y + 1 - 15 * 0.3],
                "scale": 0.3,
                "joints": [[x + 1, y + 1]] * 16,
                "joints_vis": [1] * 16,
                "head_box": [x, y, x + 12, y + 16],
            }
        )
    path, out = tmp_path / "mpii.json", tmp_path / "out.json"
    path.write_text(json.dumps(entries))
    assert main(["eval", "mpii", *options(images, path, "--json", str(out))]) == 0
    half, tenth = json.loads(out.read_text())["rows"]
    assert (half["method"], tenth["method"]) == ("livepose, DARK @0.5", "livepose, DARK @0.1")
    assert half["mean"] == tenth["mean"] == 100.0
    assert half["head"] is None  # coco17 has no head top
    assert "twelve joints" in capsys.readouterr().err


def test_peers_and_other_boxes_belong_to_coco(make_set: MakeSet) -> None:
    images, path, _ = make_set(1)
    with pytest.raises(SystemExit, match="2"):
        main(["eval", "lsp", *options(images, path, "--peer", "onnx:a")])


def test_the_papers_rows_are_told_apart_from_measured_ones(
    make_set: MakeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", "--paper"]) == 0
    said = capsys.readouterr().err
    for name in ("G-RMI", "IPR", "CPN", "RMPE", "CFN", "DARK (extra data)", "Hourglass"):
        assert name in said
    assert "not measured here" in said
    assert "livepose does not run it" in said
    assert "see measured" not in said
    assert "arXiv 1910.06278" in said
    assert "columns look shifted" in said  # CFN's row, printed as it was printed
    images, path, _ = make_set(2)
    out = tmp_path / "out.json"
    assert main(["eval", "coco", *options(images, path, "--no-speed", "--json", str(out))]) == 0
    capsys.readouterr()
    assert main(["eval", "--paper", "--measured", str(out)]) == 0
    said = capsys.readouterr().err
    assert "see measured" in said
    assert "measured here" in said
    assert "[100.0, 100.0]" in said  # three people: no figure without its interval
    assert main(["eval", "--paper", "--measured", str(path)]) == 2
    document = json.loads(out.read_text())
    for row in document["rows"]:
        del row["ap75"]
    (tmp_path / "lsp.json").write_text(json.dumps(document))
    assert main(["eval", "--paper", "--measured", str(tmp_path / "lsp.json")]) == 2
    assert "no published table" in capsys.readouterr().err
    capsys.readouterr()
    assert main(["eval", "--paper", "--measured", str(out), "--markdown", "-"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| Status | Set | Method | Backbone | Input | params_m |")
    own = [line for line in lines if line.startswith("| measured here |")]
    assert len(own) == 1
    assert "| 100.0 [100.0, 100.0] |" in own[0]


def test_what_livepose_cannot_run_is_not_called_unmeasured() -> None:
    rows = {row["method"]: status(row, []) for row in paper_coco()}
    for method in ("G-RMI[23]", "IPR [27]", "CPN [6]", "RMPE [11]", "CFN [13]"):
        assert "does not run" in rows[method]
    for method in ("SimpleBaseline[33]", "HRNet[25]", "DARK", "DARK (extra data)"):
        assert "not measured here" in rows[method]


@pytest.mark.parametrize(("decoder", "seen"), [("DARK", 1), ("shift", 1), ("argmax", 0)])
def test_a_published_row_is_measured_only_by_its_own_decoder(decoder: str, seen: int) -> None:
    own = {"method": f"livepose, {decoder}", "backbone": "HRNet-W48", "input_size_hw": "128x96"}
    small = [
        row
        for row in paper_coco()
        if (row["backbone"], row["input_size_hw"]) == ("HRNet-W48", "128x96")
    ]
    assert len(small) == 2
    assert sum("see measured" in status(row, [own]) for row in small) == seen


def test_published_figures_are_carried_over_unchanged(shared: Path) -> None:
    for own, golden in (("coco", "published_results.csv"), ("mpii", "published_results_mpii.csv")):
        with (shared / "golden" / golden).open(newline="") as file:
            assert published(own) == list(csv.DictReader(file))


def test_pareto_writes_a_plot_and_its_numbers(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        name = "slow"

        def __call__(self, pictures: Any) -> list[Detections]:
            __import__("time").sleep(0.01)
            return [Detections(np.empty((0, 4)), np.empty(0)) for _ in pictures]

    monkeypatch.setattr(coco_run, "open_detector", lambda *_, **__: Slow())
    images, path, _ = make_set(3)
    name = tmp_path / "front"
    table, points_json = tmp_path / "front.md", tmp_path / "front.json"
    more = ("--decode", "dark,argmax", "--intervals", "1,4", "--pareto", str(name))
    more += ("--markdown", str(table), "--json", str(points_json))
    assert main(["eval", "coco", *options(images, path, *more)]) == 0
    assert len(json.loads(points_json.read_text())) == 8
    assert "| 1 | " in table.read_text()
    assert main(["eval", "coco", *options(images, path, *more, "--peer", "onnx:a")]) == 2
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
    words = ["eval", "quantisation", "--plot", str(plot), "--markdown", str(table)]
    assert main([*words, "--points", "100"]) == 0
    assert plot.stat().st_size > 5000
    lines = [line.split(" | ") for line in table.read_text().splitlines() if "sub-pixel" in line]
    clean = {line[2]: float(line[3].split()[0]) for line in lines if line[1] == "0"}
    # A cell is 4 px: a highest cell alone is 1.53 px off in the mean (0.3826 of a cell).
    assert clean["argmax"] == pytest.approx(4 * 0.3826, abs=0.15)
    assert clean["dark"] < 0.05
    assert clean["dark"] < clean["shift"] < clean["argmax"]
    assert capsys.readouterr().out == ""


@pytest.fixture
def heatmaps() -> np.ndarray:
    xy = np.array([[[5.3, 8.7], [12.1, 3.4]], [[7.0, 9.0], [3.3, 5.5]]])
    maps = encode_dark(xy, np.ones((2, 2)), (20, 18), 1.5).targets
    maps[1, 1] = 0.0
    return maps


def test_any_networks_heatmaps_can_be_decoded(
    heatmaps: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "maps.npz", tmp_path / "out.npz"
    np.savez(path, heatmaps=heatmaps, other=np.zeros(3))
    assert main(["decode", str(path)]) == 0
    people = json.loads(capsys.readouterr().out)["people"]
    assert people[0][0][:2] == [pytest.approx(5.3, abs=0.01), pytest.approx(8.7, abs=0.01)]
    # DARK's modulation widens the Gaussian a little: sigma 1.5 with a 3 x 3 blur.
    assert people[0][0][3] == pytest.approx(np.sqrt(1.5**2 + 0.5), abs=0.05)
    assert people[1][1] is None
    assert main(["decode", str(path), "--output", str(out)]) == 0
    saved = np.load(out)
    assert np.array_equal(saved["xy"], decode_dark(heatmaps).xy, equal_nan=True)
    assert saved["covariance"].shape == (2, 2, 2, 2)


def test_one_persons_heatmaps_are_people_too(heatmaps: np.ndarray, tmp_path: Path) -> None:
    path, out = tmp_path / "maps.npy", tmp_path / "out.json"
    np.save(path, heatmaps[0])
    words = ["decode", str(path), "--decode", "argmax", "--output", str(out)]
    assert main(words) == 0
    people = json.loads(out.read_text())["people"]
    assert [keypoint[:2] for keypoint in people[0]] == [[5, 9], [12, 3]]


def test_what_are_no_heatmaps_is_refused(
    heatmaps: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, wrong, two = (tmp_path / name for name in ("a.npz", "b.npy", "c.npz"))
    text.write_text("text")
    np.save(wrong, np.zeros((3, 4), np.int64))
    np.savez(two, first=heatmaps, second=heatmaps)
    for path, says in (
        (text, "cannot be read"),
        (tmp_path / "gone.npz", "cannot be read"),
        (wrong, "int64 (3, 4)"),
        (two, "--array"),
    ):
        assert main(["decode", str(path)]) == 2
        assert says in capsys.readouterr().err
    assert main(["decode", str(two), "--array", "second"]) == 0
    assert main(["decode", str(two), "--array", "second", "--decode", "darc"]) == 2
    assert main(["decode", str(two), "--array", "second", "--blur-kernel", "4"]) == 2
    assert main(["decode", str(two), "--array", "first", "--output", "/nowhere/out.npz"]) == 1
