"""The detector's way on CUDA, run on the CPU: everything but the recorded graph itself."""

import numpy as np
import pytest
import torch
from torch import nn

from livepose.detection import cuda_engine
from livepose.detection.check import probe_picture, require_same_predictions
from livepose.detection.cuda_engine import CANDIDATES, CudaEngine, SurestPeople, letterbox_taps
from livepose.detection.letterbox import GREY, Letterbox
from livepose.detection.torch_engine import TorchEngine
from livepose.detection.yolo import YoloDetector
from livepose.errors import DeviceError
from livepose.runtimes.cuda_graph import CudaStream
from livepose.runtimes.frames import DeviceFrames, TapBuffers, gather


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("size_wh", "size_px"),
    [((640, 480), 416), ((1280, 720), 640), ((300, 1000), 640), ((96, 96), 96), ((50, 40), 96)],
)
def test_the_letterbox_on_a_gpu_is_the_one_of_the_processor(
    size_wh: tuple[int, int], size_px: int
) -> None:
    image = noise(size_wh[1], size_wh[0])
    letterbox = Letterbox.fit(size_wh, size_px)
    stream = CudaStream("cpu")
    tables = TapBuffers(stream, 1, (letterbox.input_wh[1], letterbox.input_wh[0]), 1)
    (rows, row_weights), (columns, column_weights) = letterbox_taps(letterbox)
    tables.taps.rows[0], tables.taps.row_weights[0] = rows * size_wh[0], row_weights
    tables.taps.columns[0], tables.taps.column_weights[0] = columns, column_weights
    with stream:
        tables.send()
    pixels = torch.from_numpy(image.reshape(-1, 3))
    ours = gather(pixels, tables.tensors, background=GREY)[0].numpy().astype(int)
    theirs = letterbox.apply(image)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1  # OpenCV rounds its weights
    grey = letterbox.to_input(np.array([[0.0, 0.0, *size_wh]]))[0].astype(int)
    assert (ours[: grey[1]] == GREY).all()


@pytest.fixture
def engine(random_model: nn.Module) -> CudaEngine:
    return CudaEngine(random_model, 0, DeviceFrames(CudaStream("cpu")))


def test_the_same_people_are_found_as_by_torch(engine: CudaEngine, random_model: nn.Module) -> None:
    images = [noise(60, 90, seed) for seed in range(3)] + [noise(96, 96, 9)]
    ours = YoloDetector(engine, "ours", 0, 1, 96, 0.1)(images)
    theirs = YoloDetector(TorchEngine(random_model, "cpu"), "theirs", 0, 1, 96, 0.1)(images)
    assert sum(map(len, theirs)) > 0
    for one, other in zip(ours, theirs, strict=True):
        assert abs(len(one) - len(other)) <= max(2, 0.1 * len(other))
        if len(other):
            np.testing.assert_allclose(one.scores[:1], other.scores[:1], atol=0.02)


def test_letterboxed_pictures_give_what_torch_gives(
    engine: CudaEngine, random_model: nn.Module
) -> None:
    pictures = np.stack([noise(96, 96, seed) for seed in range(3)])
    ours, theirs = engine(pictures), TorchEngine(random_model, "cpu")(pictures)
    np.testing.assert_allclose(ours, theirs, atol=1e-2, rtol=1e-2)
    assert list(engine._slots) == [(4, (96, 96))]


class Table(nn.Module):
    """Says the same candidates to every picture."""

    def __init__(self, candidates: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("candidates", candidates)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.candidates.expand(len(pictures), -1, -1)


def test_only_the_surest_people_come_back() -> None:
    torch.manual_seed(0)
    table = torch.rand(1, 4 + 3, 3000)
    answer = SurestPeople(Table(table), person=1)(torch.zeros(2, 8, 8, 3, dtype=torch.uint8))
    assert answer.shape == (2, 7, CANDIDATES)
    best, which = table[0, 4:].max(dim=0)
    people = best[which == 1].sort(descending=True).values
    count = min(len(people), CANDIDATES)
    torch.testing.assert_close(answer[1, 5, :count], people[:count])
    few = SurestPeople(Table(table[..., :50]), person=1)(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))
    torch.testing.assert_close(few, table[..., :50])


def test_a_new_picture_in_old_memory_is_seen(engine: CudaEngine) -> None:
    image = noise(96, 96, 1)
    letterbox = Letterbox.fit((96, 96), 96)
    first = engine.see([image], [letterbox])
    image[:] = noise(96, 96, 2)
    second = engine.see([image], [letterbox])
    assert not np.array_equal(first, second)


def test_pictures_are_left_where_the_pose_network_finds_them(engine: CudaEngine) -> None:
    image = noise(96, 96, 1)
    engine.see([image], [Letterbox.fit((96, 96), 96)])
    moved = engine.frames.moved
    image[:] = 0
    assert engine.frames.upload([image]) == [0]  # nothing was sent again
    assert engine.frames.moved == moved
    assert engine.frames.pixels.any()


def test_a_second_scale_uploads_its_picture_once(
    engine: CudaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    copy = engine.frames.copy
    monkeypatch.setattr(engine.frames, "copy", lambda pixels: (sent.append(pixels), copy(pixels)))
    detector = YoloDetector(engine, "random", person=0, classes=80, size_px=96, adapts=True)
    image = noise(240, 320, 1)
    look = detector.detect_small(image)
    assert sent == [240 * 320]
    assert {wh for _, wh in engine._slots} == {(96, 96), (160, 128)}
    image[:] = noise(240, 320, 2)
    other = detector.detect_small(image)
    assert sent == [240 * 320] * 2
    assert not np.array_equal(look.people.boxes_xyxy, other.people.boxes_xyxy)


def test_a_full_gpu_says_what_to_lower(engine: CudaEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(cuda_engine, "gather", full)
    with pytest.raises(DeviceError, match=r"out of memory .* 1 pictures of 96x96; lower --detect"):
        engine.see([noise(96, 96)], [Letterbox.fit((96, 96), 96)])


class Off:
    """An engine that is wrong in some way."""

    name, input_wh = "torch on mps", None

    def __init__(self, right: TorchEngine, change: object) -> None:
        self.right, self.change = right, change

    def __call__(self, pictures_bgr: np.ndarray) -> np.ndarray:
        return self.change(self.right(pictures_bgr))  # type: ignore[operator]


@pytest.mark.parametrize(
    "change",
    [
        lambda seen: seen * np.nan,
        lambda seen: np.concatenate([seen[:, :4], 1 - seen[:, 4:]], axis=1),
        lambda seen: np.concatenate([seen[:, :4] * 1.1 + 9, seen[:, 4:]], axis=1),
        np.zeros_like,
    ],
    ids=("nan", "scores", "boxes", "zeros"),
)
def test_a_detector_that_computes_wrongly_is_refused(
    change: object, random_model: nn.Module
) -> None:
    right = TorchEngine(random_model, "cpu")
    probed = right(probe_picture())
    with pytest.raises(DeviceError, match=r"torch on mps sees other people .* use --device cpu"):
        require_same_predictions(Off(right, change), probed, 0)


def test_a_right_detector_passes_in_any_order(random_model: nn.Module) -> None:
    right = TorchEngine(random_model, "cpu")
    probed = right(probe_picture())
    order = np.random.default_rng(0).permutation(probed.shape[2])
    require_same_predictions(Off(right, lambda seen: seen[..., order] + 1e-3), probed, 0)


class Head(nn.Module):
    """Makes its grid anew for each shape, as YOLO's head does."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors = torch.empty(0)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if self.anchors.shape[-1] != pictures.shape[3]:
            self.anchors = torch.zeros(1, 5, pictures.shape[3])
        return self.anchors.expand(len(pictures), -1, -1)


def test_what_a_head_made_for_one_size_is_kept_while_its_recording_lives() -> None:
    engine = CudaEngine(Head(), 0, DeviceFrames(CudaStream("cpu")))
    engine(noise(64, 64)[None])
    engine(noise(32, 32)[None])
    kept = [[one.shape[-1] for one in slot._kept] for slot in engine._slots.values()]
    assert kept == [[64], [32]]


def test_recorded_shapes_are_kept_and_only_the_oldest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cuda_engine, "SHAPES_KEPT", 2)
    engine = CudaEngine(Head(), 0, DeviceFrames(CudaStream("cpu")))
    engine(noise(64, 64)[None])
    engine(noise(32, 64)[None])
    kept = dict(engine._slots)
    for _ in range(2):
        engine(noise(32, 64)[None])
        engine(noise(64, 64)[None])
    assert engine._slots == kept
    engine(noise(32, 32)[None])
    assert [input_wh for _, input_wh in engine._slots] == [(64, 32), (32, 32)]
