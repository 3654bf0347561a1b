"""Everything that can be chosen about the pipeline, in one place.

A setting is a field of a dataclass, and says for itself what it means and may be (``option``); the
command line, its help, the configuration file and the check of the values come from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

from livepose.errors import UsageError

RUNTIMES = ("auto", "torch", "openvino")
PRECISIONS = ("auto", "f32", "bf16", "f16", "int8")
DECODINGS = ("dark", "shift", "argmax", "integral")
ALIGNMENTS = ("pixel_centre", "hrnet", "dark", "udp", "stride")
"""Where pixel centres are; see ``livepose.crops``."""
EXPORT_SUFFIXES = {"onnx": (".onnx",), "openvino": (".xml", ".bin"), "torchscript": (".pt",)}
ONE = "1"
"""The ``nargs`` of an option whose several values stand in one word, such as ``dark,argmax``."""
SMOOTHINGS = ("still", "balanced", "fast", "none")
LEAST_SIDE_PX, MOST_SIDE_PX, SIDE_STEP_PX = 32, 1024, 16
"""Sides of the image of a person that a pose network takes ..."""
BEST_STEP_PX = 32
"""... and so many pixels lie below a cell of the coarsest branch, which is best whole."""


def option(
    default: Any = MISSING,
    help: str = "",
    *,
    flag: str = "",
    metavar: str = "",
    choices: Sequence[Any] | None = None,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    parse: Callable[[str], Any] | None = None,
    expects: str = "",
    nargs: str = "",
) -> Any:
    """A field of a dataclass that is also an option of the command line.

    ``flag`` is given where the option is not called as the field is; an empty one with ``nargs``
    stands for the arguments without a flag. ``parse`` reads what has a form of its own, which
    ``expects`` says in words.
    """
    told = {name: value for name, value in locals().items() if name not in ("default", "told")}
    return field(default=default, metadata=told)


def parse_size(text: str) -> tuple[int, int]:
    """Rows and columns out of ``"128x96"``.

    >>> parse_size("128x96")
    (128, 96)
    """
    rows, cross, columns = text.partition("x")
    if not (cross and text.isascii() and rows.isdigit() and columns.isdigit()):
        raise ValueError(f"a size is written HEIGHTxWIDTH, for instance 128x96, got {text!r}")
    return int(rows), int(columns)


def parse_input_size(text: str) -> tuple[int, int]:
    """The same for an input that is chosen: one that every network bears."""
    input_hw = parse_size(text)
    require_input_size(input_hw)
    return input_hw


def require_input_size(input_hw: tuple[int, int]) -> None:
    """UsageError, which says what works, for a size that networks do not bear."""
    sides = range(LEAST_SIDE_PX, MOST_SIDE_PX + 1, SIDE_STEP_PX)
    if len(input_hw) != 2 or not all(side in sides for side in input_hw):
        raise UsageError(
            f"expected an input of HEIGHTxWIDTH with sides of {LEAST_SIDE_PX} to {MOST_SIDE_PX} px "
            f"in steps of {SIDE_STEP_PX}, best of {BEST_STEP_PX} (256x192, 128x96, 96x64), got "
            f"{'x'.join(map(str, input_hw))}"
        )


def flag_of(entry: "Field[Any]") -> str:
    """``--max-people`` for the field ``max_people``."""
    return str(entry.metadata.get("flag") or "--" + entry.name.replace("_", "-"))


def expected(told: Mapping[str, Any], value: Any) -> str:
    """What a value should have been, in words; "" where it is right."""
    choices, bounds = told.get("choices"), bounds_in_words(told)
    if value is None or not (choices or bounds):
        return ""
    if choices:
        return "" if value in choices else f"one of {', '.join(map(str, choices))}"
    if isinstance(value, Real) and isfinite(value):
        number, least, most = float(value), told.get("least"), told.get("most")
        inside = number > told["above"] if least is None else number >= least
        if inside and (most is None or number <= most):
            return ""
    return f"a {'whole ' if isinstance(value, int) else ''}number {bounds}"


def bounds_in_words(told: Mapping[str, Any]) -> str:
    """``from 0.2 to 3``, or ``above 0, at most 10000``; "" for an option without bounds."""
    least, above, most = (told.get(name) for name in ("least", "above", "most"))
    if least is not None:
        return f"from {least} on" if most is None else f"from {least} to {most}"
    if above is not None:
        return f"above {above}" if most is None else f"above {above}, at most {most}"
    return ""


def check(settings: Any) -> None:
    """UsageError for the first field of a dataclass that is not what its option allows."""
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        wanted = expected(entry.metadata, value)
        kinds = get_args(entry.type) or (entry.type,)
        if int in kinds and value is not None and not isinstance(value, Integral):
            wanted = wanted or "a whole number"
        if wanted:
            raise UsageError(f"{flag_of(entry)}: expected {wanted}, got {value!r}")


def described(kind: type) -> str:
    """The docstring of a dataclass with what each of its options means, for ``help``."""
    lines = [str(kind.__doc__), "", "Parameters", "----------"]
    for entry in fields(kind):
        told, choices = entry.metadata, entry.metadata.get("choices")
        lines.append(f"{entry.name} : {entry.type}, default {entry.default!r}")
        lines.append(f"    {told['help']}{': ' + ', '.join(choices) if choices else ''}")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be chosen about the pipeline."""

    weights: str | Path = option(
        "auto",
        "pose weights: auto, default (embedded), a name of 'livepose weights list', a file or "
        "hf://OWNER/REPO/FILE",
    )
    detector: str | Path = option(
        "auto",
        "auto, none (one person, the whole frame), embedded, a name such as yolo11n, or a file",
    )
    detect_every: int | None = option(
        None,
        "frames from one detection to the next; default: adapts to what moves",
        metavar="N",
        least=1,
    )
    detector_size_px: int | None = option(
        None,
        "one size of its input; default: what suits it, and a larger one for small people",
        flag="--detector-size", metavar="PX", least=1,
    )  # fmt: skip
    detector_threshold: float | None = option(
        None, "lowest score of a box; default: what suits the detector", metavar="S", least=0
    )
    max_people: int | None = option(None, "people at most", metavar="N", least=1)
    max_latency_ms: float | None = option(
        None, "from capture to screen; people take turns to hold it",
        flag="--max-latency", metavar="MS", above=0,
    )  # fmt: skip
    target_fps: float | None = option(
        None, "frames a second to hold, likewise", metavar="N", above=0
    )
    input_hw: tuple[int, int] | None = option(
        None, "size of a person's image for the pose network; default: that of the weights",
        flag="--input", metavar="HxW", parse=parse_input_size,
    )  # fmt: skip
    pose_every_frame: bool = option(False, "nobody is propagated, however well predicted")
    decode: str = option("dark", "heatmaps to keypoints", choices=DECODINGS)
    smooth: str = option("balanced", "against trembling", choices=SMOOTHINGS)
    predict: bool = option(False, "live: keypoints where they are once they are shown")
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps")
    runtime: str = option("auto", "what runs the networks", choices=RUNTIMES)
    precision: str = option("auto", "of the pose network", choices=PRECISIONS)
    offline: bool = option(False, "fetch nothing (LIVEPOSE_OFFLINE=1 says the same)")

    def __post_init__(self) -> None:
        check(self)
        if self.input_hw is not None:
            require_input_size(self.input_hw)


Settings.__doc__ = described(Settings)


@dataclass(frozen=True, slots=True)
class DrawingStyle:
    """What is drawn."""

    mirror: bool = option(False, "turn the image like a mirror; left stays the person's left")
    boxes: bool = option(False, "draw boxes")
    uncertainty: bool = option(False, "draw ellipses: 39 and 86 % of errors")
    draw_angles: bool = option(False, "write the degrees of joints beside them")
    skeleton_only: bool = option(False, "draw on black: nobody's face leaves the machine")
    score_threshold: float = option(
        0.2, "lowest score that is drawn", flag="--keypoint-threshold", metavar="S", least=0
    )
