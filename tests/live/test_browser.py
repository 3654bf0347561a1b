"""The page in a real browser: what it shows, and its own camera as the source."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from live.chromium import FOUND, Page, browser
from live.requests_ import repeating
from people import made
from sinks.people import frame, poses
from sources.loopback import folder_served, free_port

from livepose.frame import Frame
from livepose.live.bus import open_bus
from livepose.live.health import Health
from livepose.live.view import BrowserSource, BrowserView
from livepose.poses import Poses
from livepose.sinks.jsonl import make_header
from livepose.skeletons import COCO17

pytestmark = pytest.mark.skipif(FOUND is None, reason="needs Chromium (Debian: chromium)")
RECEIVERS = Path(__file__).resolve().parents[2] / "examples" / "receivers"
SIZE_WH = (320, 240)


def person_for(value: float) -> Poses:
    """Somebody whose place says how bright the image is: all joints near x = value + 30."""
    return made([[(value + 30, 20 + 12 * k) for k in range(17)]], 1.0, (0, 0, *SIZE_WH))


READ = """(() => {
  const at = (x, y) => [...pen.getImageData(x, y, 1, 1).data].slice(0, 3);
  const grey = at(318, 238), x = Math.round(grey[0]) + 30;
  return {grey: grey, there: at(x, 116), beside: at(x + 40, 116)};
})()"""
"""Brightness of the image's corner, and what is drawn where that brightness says."""


def check_together(page: Page, times: int) -> set[int]:
    """Image and pose of every look belong together; which images were seen."""
    seen = set()
    for _ in range(times):
        said = page.run(READ)
        assert max(said["grey"]) - min(said["grey"]) <= 2
        assert max(said["there"]) - min(said["there"]) > 40, said
        assert max(said["beside"]) - min(said["beside"]) <= 2
        seen.add(said["grey"][0])
        time.sleep(0.03)
    return seen


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Iterator[Page]:
    """A browser whose fake camera shows grey images that grow brighter."""
    folder = tmp_path_factory.mktemp("chromium")
    greys = (np.full((240, 320, 3), 30 + 3 * index, np.uint8) for index in range(60))
    clip = b"".join(cv2.imencode(".jpg", grey)[1].tobytes() for grey in greys)
    (folder / "camera.mjpeg").write_bytes(clip)
    with browser(folder, f"--use-file-for-fake-video-capture={folder / 'camera.mjpeg'}") as made:
        yield made


def test_a_page_shows_image_skeleton_figures_and_people_and_finds_its_way_back(page):
    health = Health("camera 0", stages=lambda: {"detect": 12.5})

    def write(index: int) -> None:
        value = 20 + 5 * (index % 40)
        shown = frame(index, index / 50, SIZE_WH, value=value)
        shown = replace(shown, captured_s=time.perf_counter())
        health.write(shown, person_for(value))
        view.write(shown, person_for(value))

    with BrowserView("127.0.0.1", 0) as view:
        view.begin(COCO17, health)
        page.command("Page.navigate", url=view.address)
        page.wait("typeof state !== 'undefined' && state.textContent === 'waiting for a frame'")
        with repeating(write):
            page.wait("state.hidden")
            assert len(check_together(page, 12)) > 3
            assert page.run("location.search") == "" and page.run("document.cookie") == ""
            page.wait("byId('stages').innerText.includes('detect')")
            assert "12.5 ms" in page.run("byId('stages').innerText")
            assert "frame age, 95 %" in page.run("byId('figures').innerText")
            assert page.run("byId('people').innerText").strip() == "id 1"
        page.run("socket.close()")
        page.wait("state.textContent === 'waiting for a frame' && !state.hidden")
        view.write(frame(1, size_wh=SIZE_WH, value=90), person_for(90))
        page.wait("state.hidden")
        assert check_together(page, 1) <= {89, 90, 91}
        assert not view.endpoint.refused


def test_the_pages_own_camera_is_the_source(page):
    camera = BrowserSource()
    seen: list[Frame] = []

    def pipeline() -> None:
        for taken in camera:
            seen.append(taken)
            view.write(taken, person_for(float(np.median(taken.image_bgr))))

    with BrowserView("127.0.0.1", 0, camera=camera) as view:
        running = threading.Thread(target=pipeline)
        running.start()
        try:
            page.command("Page.navigate", url=view.address)
            page.wait("typeof about !== 'undefined' && !byId('camera').hidden")
            page.run("byId('camera').click()", by_hand=True)
            page.wait("state.hidden || state.textContent.startsWith('no camera')")
            assert page.run("state.hidden"), page.run("state.textContent")
            assert len(check_together(page, 10)) > 1
            assert page.run("sending.size") <= 3
            assert camera.refused["image"] == 0
            assert time.perf_counter() - seen[-1].captured_s < 2.0
        finally:
            camera.close()
            running.join()


def test_the_example_page_draws_what_is_sent(page):
    with (
        folder_served(RECEIVERS) as port,
        open_bus(f"ws://127.0.0.1:{free_port()}", make_header(source="a", size_wh=SIZE_WH)) as bus,
        repeating(lambda index: bus.write(frame(index), poses(3))),
    ):
        address = f"http://localhost:{port}/page.html?port={bus.endpoint.port}"
        page.command("Page.navigate", url=address)
        page.wait("document.title === '3 people'")
        assert page.run("canvas.width") == SIZE_WH[0]
        assert page.run("pen.getImageData(0, 0, 320, 240).data.some(value => value)")
