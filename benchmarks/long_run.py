"""The long run of ``benchmarks.memory``, in a process of its own: baselines leave memory behind."""

import json
import logging
import subprocess
import sys
from typing import Any

from benchmarks.baselines import ROOT
from benchmarks.plan import Plan
from livepose.errors import LiveposeError

logger = logging.getLogger(f"livepose.{__name__}")


def measure_memory(plan: Plan) -> dict[str, Any]:
    """Growth of memory in percent, and what else the run says of itself.

    Raises
    ------
    LiveposeError
        When the run fails.
    """
    logger.info(f"{plan.memory_frames} frames for the memory")
    command = [sys.executable, "-m", "benchmarks.memory", "--frames", str(plan.memory_frames)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise LiveposeError(f"{' '.join(command[1:])} failed with {done.returncode}: {last}")
    figures: dict[str, Any] = json.loads(done.stdout)
    growth = float(figures.pop("growth"))
    return {**figures, "growth_percent": round(100 * growth, 3)}
