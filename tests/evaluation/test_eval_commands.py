"""``livepose eval`` and ``livepose decode`` from the command line to their files."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_sets import SpotRuntime

from livepose.cli import main, progress
from livepose.detection import Detections
from livepose.evaluation import run
from livepose.heatmaps import decode_dark, encode_dark

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
    """Annotated boxes, where nothing else is said."""
    return ["--images", str(images), "--annotations", str(annotations), *more]


def coco(images: Path, annotations: Path, *more: str) -> list[str]:
    """The same for COCO, in annotated boxes where nothing else is said."""
    return ["eval", "coco", *options(images, annotations, "--boxes", "gt", *more)]


def test_coco_scores_all_decoders_and_writes_what_was_asked_for(
    make_set: MakeSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(5, as_zip=True)
    out, results = tmp_path / "out.json", tmp_path / "results.json"
    more = ("--decode", "dark,argmax", "--flip-test", "--json", str(out), "--results", str(results))
    assert main(coco(images, path, *more)) == 0
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
    assert first_apart["first"] == "livepose, argmax + flip 128x96, annotated boxes"
    assert first_apart["points"] == pytest.approx(second["ap"] - first["ap"], abs=0.01)
    assert (document["pictures"], document["people"]) == (5, 9)
    written = json.loads(results.read_text())
    assert len(written) == 9
    assert set(written[0]) == {"image_id", "category_id", "keypoints", "score"}
    said = capsys.readouterr()
    for heading in ("AP50", "AR", "Params M", "GFLOPs", "Crops/s"):
        assert heading in said.out


def test_json_and_markdown_go_to_stdout_when_asked(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(2)
    assert main(coco(images, path, "--no-speed", "--json", "-")) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["crops_per_s"] is None
    assert main(coco(images, path, "--no-speed", "--markdown", "-")) == 0
    assert capsys.readouterr().out.startswith("| Method | Backbone | Input | Boxes | Params M |")


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
    assert main(coco(images, path, *more)) == 0
    assert json.loads(out.read_text())["rows"][0]["ap"] == pytest.approx(100.0)

    class Detector:
        name = "boxes of the left half"

        def __call__(self, pictures: Any) -> list[Detections]:
            found = Detections(np.array([[13.0, 27.0, 53.0, 87.0]]), np.array([0.8]))
            return [found for _ in pictures]

    monkeypatch.setattr(run, "open_detector", lambda *_, **__: Detector())
    more = ("--boxes", "detector", "--no-speed", "--json", str(out))
    assert main(coco(images, path, *more)) == 0
    row = json.loads(out.read_text())["rows"][0]
    assert row["ar"] == pytest.approx(60.0)
    monkeypatch.setattr(run, "open_detector", lambda *_, **__: None)
    assert main(coco(images, path, *more)) == 2


def test_a_detector_that_nobody_named_is_not_fetched(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def opened(*names: str, **options: Any) -> None:
        asked.update({names[0]: options["offline"]})

    monkeypatch.setattr(run, "open_detector", opened)
    images, path, _ = make_set(1)
    for detector in ("auto", "yolo11n"):
        main(coco(images, path, "--boxes", "detector", "--no-speed", "--detector", detector))
    assert asked == {"auto": True, "yolo11n": False}


def test_the_end_to_end_figure_stands_first(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left:
        name = "finds the left one"

        def __call__(self, pictures: Any) -> list[Detections]:
            found = Detections(np.array([[13.0, 27.0, 53.0, 87.0]]), np.array([0.8]))
            return [found for _ in pictures]

    class Nobody(Left):
        def __call__(self, pictures: Any) -> list[Detections]:
            return [Detections(np.empty((0, 4)), np.empty(0)) for _ in pictures]

    images, path, _ = make_set(3)
    out = tmp_path / "out.json"
    words = ["eval", "coco", *options(images, path, "--no-speed", "--json", str(out))]
    for detector, end_to_end in ((Left(), 60.0), (Nobody(), 0.0)):
        monkeypatch.setattr(run, "open_detector", lambda *_, one=detector, **__: one)
        assert main(words) == 0
        first, second = json.loads(out.read_text())["rows"]
        assert [first["boxes"], second["boxes"]] == ["detector's", "annotated"]
        assert first["ar"] == pytest.approx(end_to_end)
        assert second["ap"] == pytest.approx(100.0)


def test_batches_and_workers_change_no_figure(make_set: MakeSet, tmp_path: Path) -> None:
    images, path, _ = make_set(5, as_zip=True)
    found = []
    for batch, workers in (("1", "1"), ("4", "3"), ("32", "2")):
        out = tmp_path / "out.json"
        more = ("--batch", batch, "--workers", workers, "--no-speed", "--json", str(out))
        more += ("--decode", "dark,argmax", "--flip-test")
        assert main(coco(images, path, *more)) == 0
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
    monkeypatch.setattr(progress, "progress_bars", lambda: nullcontext(bars))
    found = Detections(np.array([[13.0, 27.0, 53.0, 87.0]]), np.array([0.8]))
    detect = lambda pictures: [found for _ in pictures]  # noqa: E731
    monkeypatch.setattr(run, "open_detector", lambda *_, **__: detect)
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
        with progress.progress_bars() as bars:
            bars("looking", 2)(1)
        said = capsys.readouterr()
        assert ("looking" in said.err) == watched
        assert said.out == ""


def test_a_gate_that_is_missed_is_exit_code_six(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(2)
    passed = options(images, path, "--no-speed", "--require-ap", "99")
    missed = options(images, path, "--no-speed", "--require-ap", "101")
    assert main(["eval", "coco", "--boxes", "gt", *passed]) == 0
    assert main(["eval", "coco", "--boxes", "gt", *missed]) == 6
    assert "expected at least 101.0 AP" in capsys.readouterr().err


def test_the_options_reach_the_runtime(make_set: MakeSet, spots: list[Any]) -> None:
    images, path, _ = make_set(1)
    more = ("--weights", "w", "--input", "256x192", "--runtime", "torch", "--precision", "f32")
    assert main(coco(images, path, "--no-speed", *more)) == 0
    assert spots[0][:5] == ("w", (256, 192), "torch", "auto", "f32")
    more = ("--no-speed", "--device", "cuda")
    assert main(coco(images, path, *more)) == 0
    assert spots[1][3] == "cuda"


def test_what_cannot_be_is_one_sentence_and_exit_code_two(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(1)
    assert main(coco(images, path, "--boxes", "gone.json")) == 2
    said = capsys.readouterr().err
    assert "gone.json" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("option", ["--json", "--markdown", "--results"])
def test_where_nothing_can_be_written_is_said_before_the_work(
    make_set: MakeSet, spots: list[Any], capsys: pytest.CaptureFixture[str], option: str
) -> None:
    images, path, _ = make_set(1)
    for place, says in (("gone/out", "gone does not exist"), (str(images), "it is a folder")):
        assert main(coco(images, path, option, place)) == 1
        assert says in capsys.readouterr().err
    assert spots == []


def test_ctrl_c_is_exit_code_130(make_set: MakeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    images, path, _ = make_set(1)

    def interrupted(self: SpotRuntime, crops_bgr: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(SpotRuntime, "__call__", interrupted)
    assert main(coco(images, path)) == 130


def test_a_table_says_how_far_each_row_is_from_the_first(
    make_set: MakeSet, capsys: pytest.CaptureFixture[str]
) -> None:
    images, path, _ = make_set(2)
    more = ("--no-speed", "--decode", "dark,argmax", "--markdown", "-")
    assert main(coco(images, path, *more)) == 0
    heading, _, dark, argmax = capsys.readouterr().out.strip().splitlines()
    names = [cell.strip() for cell in heading[1:-1].split("|")]
    assert "Crops/s" not in names  # nothing of it was measured
    place = names.index("minus first")
    assert dark[1:-1].split("|")[place].strip() == ""
    assert argmax[1:-1].split("|")[place].strip().startswith(("+", "-"))


def test_wrong_sizes_and_numbers_are_refused_by_the_parser(make_set: MakeSet) -> None:
    images, path, _ = make_set(1)
    for wrong in (("--input", "128"), ("--limit", "0"), ("--decode", "darc")):
        with pytest.raises(SystemExit, match="2"):
            main(coco(images, path, *wrong))
    with pytest.raises(SystemExit, match="2"):
        main(["eval"])


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
    with pytest.raises(SystemExit, match="2"):
        main(["decode", str(two), "--array", "second", "--decode", "darc"])
    assert main(["decode", str(two), "--array", "second", "--blur-kernel", "4"]) == 2
    assert main(["decode", str(two), "--array", "first", "--output", "/nowhere/out.npz"]) == 1
