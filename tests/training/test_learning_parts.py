"""The parts of learning: losses, optimiser, schedule, watch, Gaussian maps."""

import math

import pytest
import torch

from livepose.errors import DataError, LiveposeError, UsageError
from livepose.training.loop import DivergenceWatch, Schedule
from livepose.training.optim import Muon
from livepose.training.pose import mse_loss, softmax_loss, target_maps
from livepose.training.settings import DetectorSettings, PoseSettings

SOME = {"data": ("a:b",), "samples": 1000}


def targets() -> torch.Tensor:
    xy = torch.tensor([[[7.3, 9.8], [12.0, 20.4]]]).repeat(2, 1, 1)
    return target_maps(xy, (32, 24), 1.0, "dark")


def test_a_perfect_answer_has_no_loss_and_unlabelled_keypoints_do_not_count():
    maps, ones, none = targets(), torch.ones(2, 2), torch.zeros(2, 2)
    logits = torch.log(maps.clamp_min(1e-30))
    assert softmax_loss(logits, maps, ones, none).item() == pytest.approx(0, abs=1e-4)
    assert mse_loss(maps, maps, ones, none, 1.0).item() == 0
    empty = mse_loss(torch.zeros_like(maps), maps, ones, none, 1.0)
    assert empty.item() == pytest.approx(4, rel=1e-3)  # an empty map costs one

    learned = torch.randn(2, 2, 32, 24, requires_grad=True)
    softmax_loss(learned, maps, torch.tensor([[1.0, 0.0]] * 2), none).backward()
    assert learned.grad is not None
    assert (learned.grad[:, 1] == 0).all()
    assert (learned.grad[:, 0] != 0).any()


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (64, 8, 1, 1)])
def test_held_norms_stay_and_each_step_is_the_asked_share_of_them(shape):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(shape).contiguous(memory_format=torch.channels_last))
    norm, optimiser = weight.norm().item(), Muon([weight], lr=0.05, hold_norms=True)
    for _ in range(5):
        before = weight.detach().clone()
        weight.grad = torch.randn_like(weight)
        optimiser.step()
        assert weight.norm().item() == pytest.approx(norm, rel=1e-5)
        angle = torch.cosine_similarity(weight.detach().flatten(), before.flatten(), dim=0)
        assert 0.03 < torch.arccos(angle).item() < 0.06
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_the_rate_warms_up_and_falls_and_the_curriculum_grows():
    schedule = Schedule(PoseSettings(**SOME, batch=10, warm_up_steps=10))
    found = [schedule.rate(step, share) for step, share in ((0, 0.0), (10, 0.1), (100, 1.0))]
    assert found == pytest.approx([0.1, 0.976, 0.02], abs=1e-3)
    grown = [schedule.curriculum(progress, 0.2, 0.8) for progress in (0, 0.1, 0.35, 0.6, 1)]
    assert grown == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])


def test_a_constant_rate_falls_in_the_last_share_and_can_go_on_for_longer_until_then():
    settings = PoseSettings(**SOME, decay_last=0.2, warm_up_steps=0)
    schedule = Schedule(settings)
    found = [schedule.rate(50, progress) for progress in (0.1, 0.8, 0.9, 1.0)]
    assert found == pytest.approx([1, 1, 0.5, 0])
    assert not schedule.is_decaying(0.79)
    assert schedule.is_decaying(0.81)
    eased = [schedule.curriculum(progress, 0.6, 0.6) for progress in (0.5, 0.9, 1.0)]
    assert eased == pytest.approx([0.6, 0.45, 0.3])
    assert settings.resumed({"samples": 5000}, is_decaying=False).samples == 5000
    for refused in ({"samples": 5000}, {"lr": 0.1}):
        with pytest.raises(UsageError, match="--init FILE instead"):
            settings.resumed(refused, is_decaying=True)
    with pytest.raises(UsageError, match="samples is 1000"):
        PoseSettings(**SOME).resumed({"samples": 5000}, is_decaying=False)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"size": "100x96"}, {"size": "big"}, {"relative_step": 0.02}, {"decay_last": 2.0}),
        *({"lr": -1.0}, {"loss": "hinge"}, {"samples": None}, {"budget_minutes": 3.0}),
        *({"data": ()}, {"curriculum": "0..2"}, {"alignment": "corner"}, {"batch": 0}),
        *({"input_px": 50}, {"mosaic": 2.0}),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(wrong):
    kind = DetectorSettings if wrong.keys() & {"input_px", "mosaic"} else PoseSettings
    with pytest.raises(UsageError):
        kind(**SOME | wrong)


def test_settings_survive_their_file():
    settings = PoseSettings(**SOME, curriculum="0.1..0.7", optimiser="muon", webcam=0.5)
    assert PoseSettings.from_json(settings.to_json()) == settings
    for wrong in ("[", "[]", '{"data": 3}', "[" * 10**5):
        with pytest.raises(DataError):
            PoseSettings.from_json(wrong)


@pytest.mark.parametrize("loss", [math.nan, math.inf, 9.0])
def test_a_diverging_loss_is_noticed(loss):
    watch = DivergenceWatch(ignore_until_step=10)
    for step in range(60):
        watch.check(step, 2.0)
    watch.check(60, 7.9)
    with pytest.raises(LiveposeError, match="step 61"):
        watch.check(61, loss)
