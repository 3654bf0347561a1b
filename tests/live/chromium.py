"""A real browser without a screen, driven by its DevTools protocol."""

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from live.requests_ import get, wait_for
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

    def run(self, script: str, *, by_hand: bool = False) -> Any:
        """The value of an expression, awaited; ``by_hand`` as if somebody had clicked."""
        how = {"returnByValue": True, "awaitPromise": True, "userGesture": by_hand}
        said = self.command("Runtime.evaluate", expression=script, **how)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def wait(self, script: str) -> None:
        """Waits until an expression is true."""
        wait_for(lambda: self.run(script), 20.0)


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Page]:
    """Chromium with an empty tab; ``folder`` takes its profile."""
    command = [str(FOUND), *FLAGS, *flags, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            noted = folder / "DevToolsActivePort"
            wait_for(lambda: noted.exists() and noted.read_text(), 60.0)
            port = int(noted.read_text().split()[0])
            (tab,) = [one for one in json.loads(get(port, "/json")[2]) if one["type"] == "page"]
            with connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()
