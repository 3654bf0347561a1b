"""Running a detection network in torch: on GPUs, and where OpenVINO cannot take it."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from livepose.detection.protocol import Predictions
from livepose.runtimes.torch import device_errors


class TorchEngine:
    """Runs the network in torch; in half precision on CUDA."""

    input_wh: tuple[int, int] | None = None

    def __init__(self, model: nn.Module, device: str) -> None:
        self.name = f"torch on {device}"
        self._device = torch.device(device)
        self._dtype = torch.float16 if self._device.type == "cuda" else torch.float32
        with device_errors(device, "while loading the detector"):
            self._model = model.to(self._device, self._dtype)

    def __call__(self, pictures_bgr: NDArray[np.uint8]) -> Predictions:
        """Predictions for these pictures, see ``protocol``."""
        doing = f"while looking for people in {len(pictures_bgr)} pictures"
        with device_errors(str(self._device), doing), torch.inference_mode():
            pictures = torch.from_numpy(pictures_bgr).to(self._device)
            inputs = pictures.flip(3).permute(0, 3, 1, 2).to(self._dtype) / 255
            raw = self._model(inputs)
            predictions: Tensor = raw[0] if isinstance(raw, tuple) else raw
            return predictions.float().cpu().numpy()
