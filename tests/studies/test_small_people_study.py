"""The study of small people tells both inputs apart, and notes what was decided."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from evaluation_sets import SpotRuntime

from livepose.evaluation import run
from livepose.weights import Card, load_checkpoint, read_card, save_checkpoint
from livepose.weights.card import at_size
from studies import small_people

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]


class Blind(SpotRuntime):
    """Finds everybody at the usual size, and nobody at another."""

    def __init__(self, input_hw: tuple[int, int] | None) -> None:
        super().__init__()
        self.card = at_size(self.card, input_hw)

    def __call__(self, crops_bgr: np.ndarray) -> np.ndarray:
        if self.card.input_hw == (128, 96):
            return super().__call__(crops_bgr)
        return np.full((len(crops_bgr), 17, *self.card.heatmap_hw), 0.3, np.float32)


def test_people_below_the_threshold_are_scored_with_the_smaller_input(
    make_set: MakeSet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(weights: str, *_: str, input_hw: tuple[int, int] | None) -> Blind:
        return Blind(input_hw)

    monkeypatch.setattr(run, "open_runtime", opened)
    images, annotations, _ = make_set(3)
    assert small_people.main(["--images", str(images), "--annotations", str(annotations)]) == 0
    table = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    # Boxes are 60 px high, so crops are 75 px high.
    (height,) = (row for row in rows if row and row[0] == "64 to 80")
    assert float(height[2]) > 90
    assert float(height[3]) < 10
    ap = {row[0]: (row[1], float(row[2])) for row in rows if row and row[0] in ("0", "64", "80")}
    assert ap["0"] == ap["64"] == ("0%", float(height[2]))
    assert ap["80"] == ("100%", pytest.approx(float(height[3]), abs=0.1))


def test_a_note_leaves_the_tensors_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    card = Card("hrnet_w32", (128, 96), notes={"hours": "9"})
    tensors = {"a": torch.rand(5), "b": torch.ones(2, dtype=torch.int64)}
    save_checkpoint(path, tensors, card, torch.float16)
    (before, old), words = load_checkpoint(path), ["--images", "x", "--annotations", "y"]
    assert small_people.main([*words, "--weights", str(path), "--write", "96"]) == 0
    after, new = load_checkpoint(path)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert new == replace(old, notes={"hours": "9", "small_people_px": "96"})
    assert read_card(path).small_people_px == 96.0
