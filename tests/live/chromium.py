"""A real browser without a screen, driven by its DevTools protocol."""

import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from live.requests_ import get
from websockets.sync.client import ClientConnection, connect

FOUND = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--window-size=1280,800"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)

    def command(self, method: str, **values: Any) -> dict[str, Any]:
        """Sends a command of the protocol and waits for its answer."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": values}))
        while (said := json.loads(self._socket.recv(30))).get("id") != number:
            pass
        assert "error" not in said, said
        return said["result"]

    def open(self, address: str) -> None:
        """Goes to an address."""
        self.command("Page.navigate", url=address)

    def run(self, script: str, *, by_hand: bool = False) -> Any:
        """The value of an expression, awaited; ``by_hand`` as if somebody had clicked."""
        said = self.command(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
            userGesture=by_hand,
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait(self, script: str, limit_s: float = 20.0) -> Any:
        """Waits until an expression is true."""
        end_s = time.perf_counter() + limit_s
        while not (value := self.run(script)):
            assert time.perf_counter() < end_s, self.run("document.body.innerText")
            time.sleep(0.05)
        return value

    def screenshot(self, path: Path, size_wh: tuple[int, int], quality: int = 70) -> None:
        """A JPEG of the page in a window of that size."""
        width, height = size_wh
        self.command(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        time.sleep(0.7)
        data = self.command("Page.captureScreenshot", format="jpeg", quality=quality)["data"]
        path.write_bytes(base64.b64decode(data))


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Page]:
    """Chromium with an empty tab; ``folder`` takes its profile."""
    command = [str(FOUND), *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = _debugging_port(folder)
            (tab,) = [one for one in json.loads(get(port, "/json")[2]) if one["type"] == "page"]
            with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()


def _debugging_port(folder: Path) -> int:
    end_s = time.perf_counter() + 60
    while not (folder / "DevToolsActivePort").exists():
        assert time.perf_counter() < end_s, "Chromium did not start"
        time.sleep(0.05)
    time.sleep(0.1)
    return int((folder / "DevToolsActivePort").read_text().split()[0])
