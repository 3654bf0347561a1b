"""Signals, streams and folders as a shell, a service or a full disk leave them."""

import json
import os
import signal
import subprocess
import sys

import fakes
import numpy as np
import pytest
from fakes import clip
from safetensors.numpy import save

from livepose.cli import guarded


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        ["bash", "-c", f"{sys.executable} {command}"],
        **{"env": environment, "capture_output": True, "text": True, "timeout": 120},
    )


def test_stderr_may_be_closed_and_the_results_are_written_alone(tmp_path):
    source, results = clip(tmp_path / "v.mp4", frames=2), tmp_path / "o.jsonl"
    done = shell(f"{fakes.__file__} {source} --json {results} --no-window 2>&-")
    assert done.returncode == 0
    lines = results.read_text().splitlines()
    assert len(lines) == 3 and all(json.loads(line) for line in lines)


def test_a_process_ends_at_once_while_a_thread_is_inside_a_library():
    done = shell(
        "-c 'import threading, time, atexit; from livepose.cli import end;"
        'threading.Thread(target=time.sleep, args=(60,), name="prefetch").start();'
        'atexit.register(print, "the interpreter ends"); print("closed"); end(7)\''
    )
    assert (done.returncode, done.stdout) == (7, "closed\n"), done.stderr


def test_a_closed_stdout_is_said_at_once(tmp_path):
    done = shell(f"-m livepose --video {clip(tmp_path / 'v.mp4', frames=1)} --json - >&-")
    expected = "livepose: cannot write to stdout: it is closed; name a file instead of -\n"
    assert (done.returncode, done.stderr) == (1, expected)


def test_a_full_disk_under_stdout_is_one_sentence():
    done = shell(
        "-c 'from livepose.cli import guarded; exit(guarded(lambda: print(1)))' > /dev/full"
    )
    assert (done.returncode, done.stderr) == (1, "livepose: stdout: No space left on device\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_every_command_like_ctrl_c(name, said):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        assert guarded(lambda: os.kill(os.getpid(), number) or 0) == 130
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    assert f"stopped by {name}" in said[-1]


def test_a_name_that_is_not_utf_8_is_said_on_stdout(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.safetensors")
    path.write_bytes(save({"a": np.ones(1)}, metadata={"sha256": "0"}))
    command = [sys.executable, "-m", "livepose", "weights", "show", str(path)]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(command, capture_output=True, check=False, env=strict)
    assert done.returncode == 4, done.stderr
    assert rb"caf\udce9.safetensors" in done.stdout and b"it is damaged" in done.stderr
