"""Lines of JSON that somebody damaged: results, manifests of many files, figures, training logs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import damaged, mutated

from benchmarks.compare import read_figures
from livepose.batch.manifest import read_manifest
from livepose.errors import LiveposeError
from livepose.results.reading import read as read_results
from livepose.sinks.jsonl import make_header
from livepose.training.records import read_log

PERSON = {
    **{"id": 1, "score": 0.5, "box_xyxy": [1, 2, 3, 4], "states": ["seen"] * 17},
    **{"keypoints": [[1.0, 2.0, 0.5, 1.0]] * 17, "covariance_px2": [[1.0, 0.0, 1.0]] * 17},
}
HEADER = {"livepose": make_header(source="a.mp4", size_wh=(640, 480))}
FRAME = {"frame": 0, "time_s": 0.0, "people": [PERSON]}
ENTRY = {
    **{"source": "a.mp4", "name": "a", "size": 1, "mtime_ns": 1, "settings": "0", "state": "done"},
    **{"outputs": {"a.jsonl": "0"}, "lost": []},
}
READERS: dict[str, tuple[Callable[[Path], Any], list[Any]]] = {
    "results": (read_results, [HEADER, FRAME]),
    "a manifest of files": (read_manifest, [ENTRY, ENTRY]),
    "figures of a benchmark": (read_figures, [{"fps": 1.0, "spread": {"fps": [1.0, 2.0]}}]),
    "a training's log": (lambda path: read_log(path.parent), [{"step": 1, "loss": 0.5}]),
}
NAMES = {"a training's log": "log.jsonl"}
DEEP = ("[" * 100_000 + "\n", '{"a":' * 900 + "1" + "}" * 900 + "\n")


@pytest.mark.parametrize("what", READERS)
def test_no_damaged_line_makes_a_traceback(what: str, tmp_path: Path) -> None:
    read, whole = READERS[what]
    path = tmp_path / NAMES.get(what, "a.jsonl")
    lines = [[mutated(line, seed) for line in whole] for seed in range(60)]
    texts = ["".join(json.dumps(line) + "\n" for line in one) for one in (whole, *lines)]
    bytes_ = [damaged(texts[0].encode(), seed) for seed in range(40)]
    for content in (*(text.encode() for text in (*texts, *DEEP)), *bytes_):
        path.write_bytes(content)
        try:
            read(path)
        except LiveposeError as error:
            assert "\n" not in str(error)
