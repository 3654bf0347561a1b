"""The window of the program is there before its networks are, and q closes it at once."""

import subprocess
import sys
import time

from window.xvfb import running_display


def test_the_image_is_seen_while_the_networks_get_ready_and_q_ends_that(shared, tmp_path):
    said, clip = tmp_path / "said", shared / "video" / "pedestrians.mp4"
    command = [sys.executable, "-m", "livepose", "--detector", "embedded", str(clip)]
    with running_display(tmp_path) as display, said.open("w") as stderr:
        process = subprocess.Popen(command, env=display.environment, stderr=stderr)
        try:
            window = display.find_window("livepose")
            assert window is not None, said.read_text()
            until_s = time.monotonic() + 20  # a busy machine is slow to decode the first image
            while display.screenshot_bgr().any(axis=2).mean() <= 0.1:
                assert time.monotonic() < until_s
                time.sleep(0.05)
            assert "ready after" not in said.read_text()
            display.press(window, "q")
            assert process.wait(timeout=20) == 0
            assert "ready after" not in said.read_text()
        finally:
            process.kill()
            process.wait()
