"""What the doctor tries: ``python -m livepose.cli.doctor_probes NAME``, a process for each.

A library that is broken can take its whole process along (an abort, an illegal instruction, a
hang), and then that is a finding and not the end of the doctor. A probe prints one line of JSON;
when it fails, the last line on stderr says why.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Probed:
    """What a probe found: facts when it went well, else why not."""

    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def probe(
    name: str, environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> Probed:
    """Runs one of ``PROBES`` in its own process, and waits for it."""
    command = [sys.executable, "-m", __name__, name]
    try:
        done = subprocess.run(
            command,
            env=dict(os.environ if environment is None else environment),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probed(error=f"did not answer within {timeout_s:g} s")
    if done.returncode == 0:
        # A library may chatter on stdout; the facts are the last line.
        return Probed(facts=json.loads(done.stdout.splitlines()[-1]))
    return Probed(error=_reason(done.returncode, done.stderr))


def _reason(code: int, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if code >= 0:
        return last or f"ended with exit code {code}"
    died = f"died of {signal.Signals(-code).name}"
    return f"{died}: {last}" if last else died


def torch_runs() -> dict[str, Any]:
    """A tiny convolution, and which devices torch sees."""
    import torch

    weight = torch.ones(1, 3, 3, 3)
    answer = torch.nn.functional.conv2d(torch.ones(1, 3, 8, 8), weight)
    if float(answer.sum()) != 27.0 * 36:
        raise ArithmeticError(f"a convolution gave {float(answer.sum())}, expected {27.0 * 36}")
    cuda = torch.cuda.is_available()
    names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    return {
        "version": torch.__version__,
        "cuda_build": torch.version.cuda,
        "cuda": names if cuda else [],
        "mps": torch.backends.mps.is_available(),
    }


def openvino_runs() -> dict[str, Any]:
    """A tiny model, compiled for the processor and run."""
    modules: dict[str, Any] = sys.modules
    modules["openvino_telemetry"] = None  # a process of its own: it need talk to nobody
    import numpy as np
    import openvino

    opset13 = openvino.opset13
    numbers = opset13.parameter([1, 4], np.float32)
    model = openvino.Model([opset13.add(numbers, numbers)], [numbers], "tiny")
    core = openvino.Core()
    answer = core.compile_model(model, "CPU")(np.ones((1, 4), np.float32))[0]
    if not np.array_equal(answer, np.full((1, 4), 2.0, np.float32)):
        raise ArithmeticError(f"1 + 1 gave {answer.tolist()}")
    return {
        "version": openvino.__version__.split("-")[0],
        "processor": core.get_property("CPU", "FULL_DEVICE_NAME"),
        "capabilities": list(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")),
    }


def numba_runs() -> dict[str, Any]:
    """A tiny function, compiled and run, and where livepose's compiled kernels are kept."""
    import numba
    import numpy as np

    doubled = numba.njit(lambda values: values + values)
    if float(doubled(np.ones(3)).sum()) != 6.0:
        raise ArithmeticError("a compiled 1 + 1 was not 2")
    from livepose.drawing._kernels import paint_panel

    return {
        "version": numba.__version__,
        "numpy": np.__version__,
        "cache": paint_panel.stats.cache_path,
    }


def opencv_runs() -> dict[str, Any]:
    """Loads OpenCV and turns a picture."""
    import cv2
    import numpy as np

    cv2.resize(np.zeros((8, 8, 3), np.uint8), (4, 4))
    return {"version": cv2.__version__}


def window_opens() -> dict[str, Any]:
    """Opens a window for the blink of an eye, if one is possible."""
    import numpy as np

    from livepose.window import Window

    possible, reason = Window.available()
    if possible:
        with Window("livepose doctor") as window:
            window.show(np.zeros((32, 32, 3), np.uint8))
            window.poll()
    return {"possible": possible, "reason": reason}


def pyav_runs() -> dict[str, Any]:
    """Encodes two pictures as H.264 into memory."""
    import io

    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in (0, 200):
            picture = np.full((48, 64, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return {"version": av.__version__, "bytes": file.tell()}


def cameras_found() -> dict[str, Any]:
    """Cameras of this machine, and whether we may read them."""
    from livepose.sources.camera import list_cameras

    cameras = list_cameras()
    closed = [
        camera.path
        for camera in cameras
        if Path(camera.path).exists() and not os.access(camera.path, os.R_OK | os.W_OK)
    ]
    return {"names": [f"{camera.index}: {camera.name}" for camera in cameras], "closed": closed}


def pose_weights() -> dict[str, Any]:
    """The embedded pose network, and whether its tensors are those that its card promises."""
    from livepose.weights import find_weights, read_card
    from livepose.weights.arrays import verify

    path = find_weights("default")
    card = read_card(path)
    size = f"{card.input_hw[0]}x{card.input_hw[1]}"
    return {"path": str(path), "what": f"{card.network} {size}", "verified": verify(path)}


def detector_weights() -> dict[str, Any]:
    """The embedded person detector, and whether its tensors have their hash."""
    from livepose.weights.arrays import verify
    from livepose.weights.places import DEFAULT_DETECTOR, SUFFIX, embedded_file

    path = embedded_file(DEFAULT_DETECTOR + SUFFIX)
    if path is None:
        return {"path": None}
    return {"path": str(path), "what": DEFAULT_DETECTOR, "verified": verify(path)}


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": torch_runs,
    "openvino": openvino_runs,
    "numba": numba_runs,
    "opencv": opencv_runs,
    "window": window_opens,
    "pyav": pyav_runs,
    "cameras": cameras_found,
    "pose weights": pose_weights,
    "detector weights": detector_weights,
}


def main() -> None:
    """Runs the probe that the command line names."""
    print(json.dumps(PROBES[sys.argv[1]]()))


if __name__ == "__main__":
    main()
