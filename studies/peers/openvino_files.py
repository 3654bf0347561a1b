"""Peers' files through OpenVINO, which reads its own form and ONNX."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError, UsageError
from livepose.evaluation.speed import Cost
from livepose.networks import GIGA

NUMBERS = frozenset({"f32", "f16", "bf16", "i8", "u8", "i4", "u4"})
"""Kinds of constants that are weights; 64-bit integers are shapes."""


def read_model(path: Path) -> Any:
    """The model in a file; DataError where it is not one."""
    try:
        from openvino import Core
    except ImportError as error:
        raise UsageError("peers need the package openvino: pip install openvino") from error
    try:
        return Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise DataError(f"{path} cannot be read as a network: {reason}") from error


def openvino_cost(model: Any) -> Cost:
    """Cost of an OpenVINO model of fixed input shape."""
    constants = pixels = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "Constant" and node.get_element_type().get_type_name() in NUMBERS:
            constants += int(np.prod(list(node.get_output_shape(0)), dtype=np.int64))
        if kind in {"Convolution", "GroupConvolution"}:
            weights = int(np.prod(list(node.get_input_shape(1)), dtype=np.int64))
            pixels += weights * int(np.prod(list(node.get_output_shape(0))[2:], dtype=np.int64))
    return Cost(constants / 1e6, pixels / GIGA)


class CompiledPeer:
    """A model with one input, run in batches where its graph allows it, else one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = read_model(path)
        self.input_shape = self._shape()
        self.model.reshape(list(self.input_shape))
        self.cost: Cost = openvino_cost(self.model)
        self._batched = self._allow_batches()
        self._request = self._compiled()

    def _shape(self) -> tuple[int, ...]:
        partial = self.model.inputs[0].get_partial_shape()
        sides = [1 if place == 0 else dim for place, dim in enumerate(partial)]
        if any(not isinstance(side, int) and side.is_dynamic for side in sides):
            raise DataError(
                f"{self.path}: its input {partial} has no fixed size; export it with one"
            )
        return tuple(int(side if isinstance(side, int) else side.get_length()) for side in sides)

    def _allow_batches(self) -> bool:
        """Does the answer grow with the batch? Some graphs have a batch of one built in."""
        self.model.reshape([-1, *self.input_shape[1:]])
        if self.model.outputs[0].get_partial_shape()[0].is_dynamic:
            return True
        self.model.reshape(list(self.input_shape))
        return False

    def _compiled(self) -> Any:
        from openvino import Core

        return (
            Core()
            .compile_model(self.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
            .create_infer_request()
        )

    def __call__(self, inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Every output for (B, ...) inputs."""
        if self._batched:
            return self._answers(inputs)
        parts = [self._answers(inputs[index : index + 1]) for index in range(len(inputs))]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _answers(self, inputs: NDArray[Any]) -> list[NDArray[np.float32]]:
        found = self._request.infer([np.ascontiguousarray(inputs)])
        return [np.array(value, dtype=np.float32) for value in found.values()]
