import numpy as np
import pytest
from fakes import FakeDetector, FakeRuntime

from livepose.frame import Frame
from livepose.pipeline import Settings
from studies.identity import interval


class Clip:
    """A white rectangle that walks."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def __iter__(self):
        for index in range(24):
            image = np.full((240, 320, 3), 40, np.uint8)
            image[60:180, 40 + 2 * index : 100 + 2 * index] = 230
            yield Frame(image, index / 30, index)


def test_every_interval_is_measured_against_the_detector_at_every_frame(monkeypatch, tmp_path):
    monkeypatch.setattr("livepose.pipeline.open_runtime", lambda *_, **__: FakeRuntime())
    monkeypatch.setattr("livepose.pipeline.open_detector", lambda *_, **__: FakeDetector())
    monkeypatch.setattr(interval, "open_source", lambda _: Clip())
    rows = interval.measure([tmp_path / "walk.mp4"], (1, 4, None), Settings(), None)
    assert [row.interval for row in rows] == [1, 4, None]
    assert rows[0].agreement == 1.0
    assert rows[0].oks == pytest.approx(1.0)
    assert [row.detected for row in rows[:2]] == [1.0, pytest.approx(0.25, abs=0.05)]
    assert all(row.ids == 1 and row.fps > 0 and row.agreement > 0.95 for row in rows)
    lines = interval.markdown(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert lines[-1].startswith("| walk.mp4 | adaptive | ")
    interval.plot(rows, tmp_path / "interval.png")
    assert (tmp_path / "interval.png").stat().st_size > 5000
