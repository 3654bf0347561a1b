"""Reading ultralytics' checkpoints, which pickle whole Python objects, without running any of it.

``torch.load(weights_only=True)`` builds nothing but tensors and plain containers, and refuses the
rest. Every class that such a file names in ultralytics or ``torch.nn`` is answered with an inert
shell that only keeps what was stored in it: no code of the file, of ultralytics or of torch.nn
runs, and the file need not come from the installed version. The tensors, the architecture and the
class names are then taken out of the shells. A file that names anything else is refused.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from livepose.detection.stored import StoredDetector
from livepose.errors import WeightsError
from livepose.weights.arrays import require_stated
from livepose.weights.torch_file import globals_of, open_torch_file, require_fits

PERMITTED = ("ultralytics.", "torch.nn.", "torch.Size", "torch.device", "pathlib.", "builtins.set")


class Shell:
    """Stands for an object of a class that is not to be run; keeps its state."""

    def __new__(cls, *_: Any, **__: Any) -> "Shell":
        """Takes whatever the constructor was given, and ignores it."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def read_pickled(path: Path) -> StoredDetector:
    """What a checkpoint of ultralytics holds; tensors are as they were stored.

    WeightsError when the file is not one, or names classes that are none of its business.
    """
    named = globals_of(path)
    foreign = sorted(name for name in named if not name.startswith(PERMITTED))
    if foreign:
        raise WeightsError(
            f"{path} wants to run {foreign[0]}, which no detector needs; it was not opened. "
            "Get the checkpoint from ultralytics itself"
        )
    shells = [(type(name.rsplit(".", 1)[-1], (Shell,), {}), name) for name in named]
    content: Any = open_torch_file(path, shells)
    held = content if isinstance(content, dict) else {"model": content}
    models = [held.get(name) for name in ("ema", "model")]
    model = next((one for one in models if isinstance(one, Shell)), None)
    if model is None:
        raise WeightsError(
            f"{path} holds no ultralytics model; expected a file such as yolo11n.pt with the model "
            "inside, not only its tensors"
        )
    architecture, names = model.state.get("yaml"), model.state.get("names") or {}
    if not isinstance(architecture, dict):
        raise WeightsError(f"{path} does not say its architecture; expected one by ultralytics 8")
    try:
        tensors = dict(_tensors(model))
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} holds no model as ultralytics pickles it: {error}") from None
    require_fits(tensors.values(), path)
    require_stated(tensors, "", path)
    kind = type(model).__name__
    return StoredDetector(kind, tensors, architecture, _class_names(names, path))


def _class_names(names: Any, path: Path) -> dict[int, str]:
    try:
        pairs = names.items() if isinstance(names, dict) else enumerate(names)
        return {int(index): str(name) for index, name in pairs}
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise WeightsError(f"{path} has no readable names of classes: {error}") from None


def _tensors(shell: Shell, prefix: str = "") -> list[tuple[str, Tensor]]:
    """Named tensors of a module's shell, as ``state_dict`` names them."""
    state = shell.state
    transient = state.get("_non_persistent_buffers_set") or ()
    own = {**(state.get("_parameters") or {}), **(state.get("_buffers") or {})}
    found = [
        (prefix + name, value.detach())
        for name, value in own.items()
        if isinstance(value, Tensor) and name not in transient
    ]
    for name, inner in (state.get("_modules") or {}).items():
        if isinstance(inner, Shell):
            found += _tensors(inner, f"{prefix}{name}.")
    return found
