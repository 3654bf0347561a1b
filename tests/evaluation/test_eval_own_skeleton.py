"""``livepose eval coco`` of weights for a skeleton of one's own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evaluation_sets import SpotRuntime

from livepose.cli import main
from livepose.evaluation import run
from livepose.skeletons import SKELETONS

MakeSet = Callable[..., tuple[Path, Path, dict[str, Any]]]


@pytest.mark.parametrize(("sigma", "right"), [(0.9, True), (0.01, False)])
def test_its_names_and_sigmas_count(
    make_set: MakeSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sigma: float, right: bool
) -> None:
    """The set has another order, and a hat far off; its tip is 6 px from the spot."""
    own, out = tmp_path / "own.toml", tmp_path / "out.json"
    name = f"own{sigma}"
    own.write_text(
        f'name = "{name}"\nkeypoints = ["grip", "tip", "heel"]\nsigmas = [0.1, {sigma}, 0.1]\n'
    )
    skeleton = SKELETONS[str(own)].name
    runtime = SpotRuntime(skeleton=skeleton)
    monkeypatch.setattr(run, "open_runtime", lambda *_, **__: runtime)
    images, path, document = make_set(3)
    names = ["hat", "heel", "tip", "grip"]
    document["categories"] = [{"id": 1, "name": "person", "keypoints": names}]
    for one in document["annotations"]:
        x, y = one["keypoints"][:2]
        one["keypoints"] = [x + 500, y, 2, x, y, 2, x + 6, y, 2, x, y, 2]
    path.write_text(json.dumps(document))
    words = ["--images", str(images), "--annotations", str(path), "--boxes", "gt", "--no-speed"]
    assert main(["eval", "coco", *words, "--flip-test", "--json", str(out)]) == 0
    ap = json.loads(out.read_text())["rows"][0]["ap"]
    assert ap == pytest.approx(100.0) if right else 10 < ap < 60
    SKELETONS.pop(skeleton)
