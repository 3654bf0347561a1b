"""Signals, streams and folders as a shell, a service or a full disk leave them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from livepose.cli import guarded

RUN = [sys.executable, "-m", "livepose", "--detector", "embedded", "--no-window"]


@pytest.fixture
def clip(shared: Path, tmp_path: Path) -> Path:
    """A clip of one frame."""
    return Path(shutil.copy(shared / "video" / "one_frame.mp4", tmp_path / "v.mp4"))


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=300)


def test_stderr_may_be_closed_and_the_results_are_written_alone(clip: Path, tmp_path: Path) -> None:
    results = tmp_path / "o.jsonl"
    assert shell(f"{' '.join(RUN)} --video {clip} --json {results} 2>&-").returncode == 0
    lines = results.read_text().splitlines()
    assert len(lines) == 2 and all(json.loads(line) for line in lines)


def test_a_process_ends_at_once_while_a_thread_is_inside_a_library() -> None:
    code = (
        "import threading, time; from livepose.cli import end;"
        "threading.Thread(target=time.sleep, args=(60,), name='prefetch', daemon=True).start();"
        "import atexit; atexit.register(print, 'the interpreter ends'); print('closed'); end(7)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (7, "closed\n"), done.stderr


def test_a_closed_stdout_is_said_at_once(clip: Path) -> None:
    done = shell(f"{' '.join(RUN)} --video {clip} --json - >&-")
    expected = "livepose: cannot write to stdout: it is closed; name a file instead of -\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_a_full_disk_under_stdout_is_one_sentence() -> None:
    code = "import sys; from livepose.cli import guarded; sys.exit(guarded(lambda: print(1) or 0))"
    done = shell(f"{sys.executable} -c '{code}' > /dev/full")
    assert (done.returncode, done.stderr) == (1, "livepose: stdout: No space left on device\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_every_command_like_ctrl_c(name: str, said: list[str]) -> None:
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert guarded(lambda: os.kill(os.getpid(), number) or 0) == 130
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert f"stopped by {name}" in said[-1]


def test_a_name_that_is_not_utf_8_is_said_on_stdout(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.safetensors")
    path.write_bytes(save({"a": np.ones(1)}, metadata={"sha256": "0"}))
    command = [sys.executable, "-m", "livepose", "weights", "show", str(path)]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, capture_output=True, check=False, env=strict)
    assert done.returncode == 4, done.stderr
    assert rb"caf\udce9.safetensors" in done.stdout and b"it is damaged" in done.stderr
