"""Cards beside ONNX and OpenVINO files."""

from pathlib import Path

import pytest

from livepose.errors import WeightsError
from livepose.weights import read_card
from livepose.weights.card import IMAGENET_MEAN


def beside(folder: Path, text: str, name: str = "net.onnx") -> Path:
    path = folder / name
    path.touch()
    path.with_suffix(".toml").write_text(text)
    return path


def test_a_model_config_says_everything_that_a_card_holds(tmp_path: Path) -> None:
    text = """
    input = "256x192"
    skeleton = "mpii16"
    alignment = "hrnet"
    blur_kernel = 11
    sigma = 2
    colour = "bgr"
    mean = [1, 2, 3.5]
    std = [4, 5, 6]
    activation = "softmax"
    source = "somebody"
    licence = "MIT"
    """
    card = read_card(beside(tmp_path, text))
    assert (card.network, card.input_hw, card.skeleton) == ("onnx", (256, 192), "mpii16")
    assert (card.keypoints, card.alignment, card.blur_kernel) == (16, "hrnet", 11)
    assert (card.sigma, card.colour, card.activation) == (2.0, "bgr", "softmax")
    assert (card.mean, card.std) == ((1.0, 2.0, 3.5), (4.0, 5.0, 6.0))
    assert (card.source, card.licence) == ("somebody", "MIT")


def test_only_the_input_size_is_needed(tmp_path: Path) -> None:
    card = read_card(beside(tmp_path, 'input = "128x96"', "net.xml"))
    assert (card.network, card.input_hw, card.mean) == ("openvino", (128, 96), IMAGENET_MEAN)


def test_a_missing_model_config_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").touch()
    with pytest.raises(WeightsError, match=r"needs a file net\.toml beside it"):
        read_card(tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "lacks the size"),
        ("input = 128", "HEIGHTxWIDTH, for instance 128x96, got '128'"),
        ('input = "128"', "HEIGHTxWIDTH"),
        ('input = "128x96"\nsize = 3', "an entry 'size'; known are input"),
        ('input = "128x96"\nmean = [1, 2]', "wrong 'mean': expected three numbers, got"),
        ('input = "128x96"\nmean = ["a", 2, 3]', "wrong 'mean': expected three numbers, got"),
        ('input = "128x96"\nsigma = true', "wrong 'sigma': expected a number, got 'True'"),
        ('input = "128x96"\nskeleton = "cat"', "skeleton: .* one of coco17"),
        ('input = "128x96"\nalignment = "left"', "alignment .* one of pixel_centre"),
        ("input = ", "not readable TOML"),
    ],
)
def test_a_model_config_that_cannot_be_is_named(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=sentence):
        read_card(beside(tmp_path, text))


def test_a_model_config_may_name_a_skeleton_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"")
    (tmp_path / "net.toml").write_text('input = "128x96"\nskeleton = "three.toml"')
    (tmp_path / "three.toml").write_text(
        f'name = "three_{tmp_path.name}"\nkeypoints = ["a", "b", "c"]'
    )
    card = read_card(tmp_path / "net.onnx")
    assert (card.skeleton, card.keypoints) == (f"three_{tmp_path.name}", 3)
