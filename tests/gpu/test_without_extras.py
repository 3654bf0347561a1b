"""A machine with a GPU in it may have torch, numba and OpenCV, and little else."""

import subprocess
import sys

BLOCKED = ("openvino", "av", "ultralytics", "torchvision", "pycocotools", "matplotlib")

CODE = """
import sys
for name in {blocked}:
    sys.modules[name] = None  # Python's way to say: not to be found
import numpy as np
from livepose.runtimes.gpu_poses import GpuPoses
from livepose.pipeline import PosePipeline
import benchmarks.gpu
pipeline = PosePipeline(detector="none", runtime="torch", device="cpu")
poses = pipeline.process(np.full((64, 48, 3), 90, np.uint8))
assert poses.keypoints_xy.shape == (1, 17, 2)
from livepose.errors import SourceError
try:
    pipeline.run("missing.mp4").__next__()
except SourceError as error:
    print(error)
"""


def test_the_pipeline_and_the_benchmark_need_no_extras() -> None:
    code = CODE.format(blocked=BLOCKED)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "missing.mp4 does not exist" in done.stdout


def test_importing_the_live_path_asks_nothing_of_cuda() -> None:
    code = (
        "import sys, livepose.pipeline, livepose.multistream;"
        "assert 'livepose.runtimes.gpu_poses' not in sys.modules;"
        "assert 'livepose.runtimes.cuda' not in sys.modules;"
        "import torch; assert not torch.cuda.is_initialized()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
