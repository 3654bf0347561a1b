"""Counting who is found in clips, on files made by hand."""

import json
from pathlib import Path

import pytest

from livepose.errors import DataError
from livepose.skeletons import COCO17
from studies.presence import read_presence


def person(identity=1, size=100.0, score=0.9, moved=0.0, missing=()):
    """A person whose points all lie at one place."""
    points = [
        None if name in missing else [10.0 + moved, 20.0, score, 1.0] for name in COCO17.keypoints
    ]
    return {"id": identity, "box_xyxy": [0.0, 0.0, size, size], "score": 1.0, "keypoints": points}


def write(folder: Path, *frames) -> Path:
    lines = [{"livepose": {"skeleton": {"keypoints": list(COCO17.keypoints)}}}]
    lines += [{"frame": i, "time_s": i / 30, "people": list(p)} for i, p in enumerate(frames)]
    file = folder / "clip.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return file


def test_shares_count_the_largest_person_of_each_frame(tmp_path):
    small = person(identity=2, size=10.0)
    found = read_presence(
        write(tmp_path, [small, person()], [person(missing=("left_wrist",)), small], [small], [])
    )
    assert (found.frames, found.people, found.ids, found.first_frame) == (4, 5 / 4, 2, True)
    assert (found.parts["face"], found.parts["wrists"]) == (0.75, 0.5)


def test_tremble_is_the_second_difference_in_percent_of_the_box_height(tmp_path):
    steps = [0.0, 1.0, 0.0, 1.0, 0.0]  # second differences of 2 px, box of 100 px
    shaking = write(tmp_path, *([person(moved=step)] for step in steps))
    assert read_presence(shaking).tremble == pytest.approx(2.0)
    gliding = write(tmp_path, *([person(moved=3.0 * step)] for step in range(5)))
    assert read_presence(gliding).tremble == pytest.approx(0.0)


@pytest.mark.parametrize("content", ["", "no json", '{"livepose": {}}'])
def test_other_files_are_refused_in_a_sentence(tmp_path, content):
    file = tmp_path / "other.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="expected the lines that --json writes"):
        read_presence(file)
