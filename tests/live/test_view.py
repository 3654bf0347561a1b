"""The browser view: who may look, and what they see. Without a browser; see test_browser.py."""

import json
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager

import cv2
import numpy as np
import pytest
from live.requests_ import get, wait_for
from sinks.people import frame, poses
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from livepose.errors import UsageError
from livepose.live.endpoint import self_signed_tls, tls_from
from livepose.live.health import Health
from livepose.live.view import BrowserSource, BrowserView
from livepose.skeletons import COCO17, SKELETONS


@pytest.fixture
def view() -> Iterator[BrowserView]:
    with BrowserView("127.0.0.1", 0) as made:
        made.begin(COCO17, Health("camera 0"))
        yield made


def page_of(view: BrowserView) -> str:
    """What to ask for, with the token."""
    return view.address[len(view.endpoint.origin) :]


def opened(view: BrowserView, **headers: str | None) -> ClientConnection:
    """A page's web socket, with the cookie that stands for the token."""
    port = view.endpoint.port
    kept = get(port, page_of(view))[1]["set-cookie"].partition(";")[0]
    said = {"origin": f"http://127.0.0.1:{port}", "cookie": kept, **headers}
    how = {"origin": said["origin"], "additional_headers": {"Cookie": said["cookie"]}}
    return connect(f"ws://127.0.0.1:{port}/frames", max_size=None, **how)


@contextmanager
def asking(view: BrowserView, clients: int = 1) -> Iterator[ClientConnection]:
    """A page that has been greeted and has asked for a frame."""
    with opened(view) as page:
        page.recv(5)
        page.send("next")
        wait_for(lambda: view.endpoint.clients == clients)
        time.sleep(0.05)
        yield page


def read(message: bytes) -> tuple[dict, np.ndarray | None]:
    """The JSON of a message, and its image."""
    end = 4 + int.from_bytes(message[:4], "big")
    jpeg = np.frombuffer(message[end:], np.uint8)
    return json.loads(message[4:end]), cv2.imdecode(jpeg, 1) if len(jpeg) else None


def test_the_page_needs_the_token_and_then_the_cookie_and_its_script_alone_runs(view):
    port = view.endpoint.port
    for path in ("/", "/?token=wrong", "/?token=%C3%A9"):
        assert get(port, path)[0] == 403
    assert view.endpoint.refused["token"] == 3
    status, headers, body = get(port, page_of(view))
    assert status == 200 and page_of(view).partition("=")[2].encode() not in body
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "http" not in policy
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert f'<script nonce="{nonce}">'.encode() in body
    kept, _, rules = headers["set-cookie"].partition(";")
    assert "HttpOnly" in rules and "SameSite=Strict" in rules
    for path, cookie, status in (("/", kept, 200), ("/", kept[:-1], 403), ("/etc", kept, 404)):
        assert get(port, path, {"Cookie": cookie})[0] == status


def test_another_host_is_refused_and_its_own_names_are_served(view):
    port = view.endpoint.port
    for other in (f"127.0.0.1.evil.example:{port}", "127.0.0.1:1", "", "[::1"):
        assert get(port, page_of(view), {"Host": other})[0] == 403
    assert view.endpoint.refused == {"host": 4}
    for own in ("localhost", "LOCALHOST", "127.0.0.1", "[::1]"):
        assert get(port, page_of(view), {"Host": f"{own}:{port}"})[0] == 200


@pytest.mark.parametrize(
    ("reason", "headers"),
    [
        ("origin", {"origin": "null"}),
        ("origin", {"origin": None}),
        ("token", {"cookie": "livepose=; ;;="}),
    ],
)
def test_a_socket_needs_the_pages_origin_and_cookie(view, reason, headers):
    with pytest.raises(InvalidStatus) as refused, opened(view, **headers):
        pass
    assert refused.value.response.status_code == 403
    assert view.endpoint.refused == {reason: 1}


def test_image_and_poses_come_as_one_and_the_newest_is_what_one_gets(view):
    with opened(view) as page:
        about = json.loads(page.recv(5))
        assert len(about["limbs"]) == 19 and not about["camera"]
        page.send("next")
        wait_for(lambda: view.endpoint.clients == 1)
        for index in range(20):
            view.write(frame(index, value=9 * index), poses(1))
            time.sleep(0.01)
        seen = [read(page.recv(5))]
        with pytest.raises(TimeoutError):
            page.recv(0.2)  # it asked for one
        for index in range(20, 40):
            view.write(frame(index, value=250), poses(2))
        page.send("next")
        seen.append(read(page.recv(5)))
    for (said, image), value in zip(seen, (9 * seen[0][0]["frame"], 250), strict=True):
        assert abs(int(image.mean()) - value) < 4
        assert said["people"][0]["keypoints"][0] == [10, 20, 0.5, 2]
        assert said["size_wh"] == [64, 48] and said["figures"]["frames"] == 0
    assert seen[1][0]["frame"] == 39 and set(seen[1][0]["colours"]) == {"1", "2"}


def test_before_there_are_poses_a_page_gets_images_and_the_reason_and_then_new_names(view):
    with opened(view) as page:
        assert json.loads(page.recv(5))["keypoints"] == list(COCO17.keypoints)
        page.send("next")
        view.show(np.full((240, 320, 3), 90, np.uint8), "getting ready: detector 40 %")
        said, image = read(page.recv(5))
        assert said == {"line": "getting ready: detector 40 %", "size_wh": [320, 240]}
        assert image.shape == (240, 320, 3)
        page.send("next")
        view.begin(SKELETONS["mpii16"], Health("camera 0"))
        assert json.loads(page.recv(5))["keypoints"] == list(SKELETONS["mpii16"].keypoints)
        page.send("next")
        view.write(frame(0), poses(1))
        assert "people" in read(page.recv(5))[0]


def test_a_large_image_is_made_smaller_and_with_skeleton_only_none_is_sent(view):
    with asking(view) as page:
        view.write(frame(0, size_wh=(3840, 2160)), poses(1))
        said, image = read(page.recv(5))
    assert said["size_wh"] == [3840, 2160] and image.shape == (720, 1280, 3)
    with BrowserView("127.0.0.1", 0, skeleton_only=True) as bare, asking(bare) as page:
        bare.write(frame(0), poses(1))
        said, image = read(page.recv(5))
    assert len(said["people"]) == 1 and image is None


def test_a_message_over_4_mb_or_a_tab_closed_in_a_frame_ends_that_connection_alone(view):
    with asking(view) as stays:
        with opened(view) as page:
            page.recv(5)
            page.send(bytes(4_000_001))
            with pytest.raises(ConnectionClosed) as closed:
                page.recv(5)
        assert closed.value.rcvd.code == 1009
        for _ in range(5):
            with opened(view) as page:
                page.recv(5)
                page.send("next")
                page.socket.close()
        wait_for(lambda: view.endpoint.clients == 1)
        view.write(frame(3), poses(1))
        assert read(stays.recv(5))[0]["frame"] == 3


def test_another_address_needs_https_and_then_the_cookie_is_secure(tmp_path):
    for host in ("0.0.0.0", "::"):
        with pytest.raises(UsageError, match="add --serve-self-signed or --serve-cert FILE"):
            BrowserView(host, 0)
    with BrowserView("0.0.0.0", 0, tls=self_signed_tls("127.0.0.1")) as view:
        assert view.address.startswith("https://")
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        address = f"https://127.0.0.1:{view.endpoint.port}{page_of(view)}"
        with closing(urllib.request.urlopen(address, context=trusting, timeout=5)) as page:
            assert "; Secure" in page.headers["Set-Cookie"]
    (tmp_path / "cert.pem").write_text("nonsense")
    with pytest.raises(UsageError, match="expected a PEM file with certificate and key"):
        tls_from(tmp_path / "cert.pem")


def photo(number: int, value: int) -> bytes:
    """A page's message: a number, and a grey image."""
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1]
    return number.to_bytes(4, "big") + jpeg.tobytes()


def test_a_pages_camera_is_a_source_whose_poses_go_back_with_its_number():
    source = BrowserSource()
    with BrowserView("127.0.0.1", 0, camera=source) as view, opened(view) as page:
        assert json.loads(page.recv(5))["camera"]
        page.send("next")
        for number in range(8):
            page.send(photo(number, 20 + 10 * number))
        wait_for(lambda: source._latest.dropped == 7)
        taken = next(iter(source))  # the newest one
        assert abs(int(taken.image_bgr.mean()) - 90) < 3 and taken.size_wh == (64, 48)
        assert taken.captured_s is not None and taken.time_s == 0.0 and taken.dropped == 7
        view.write(taken, poses(1))
        said, image = read(page.recv(5))
        assert said["tag"] == 7 and image is None and said["age_ms"] >= 0
        with asking(view, clients=2) as other:
            view.write(taken, poses(1))
            said, image = read(other.recv(5))
            assert "tag" not in said and image.shape == (48, 64, 3)


def test_what_is_no_image_or_a_huge_one_is_counted_and_passed_over():
    source, huge = BrowserSource(), bytearray(photo(1, 1))
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    source.take(2, photo(1, 1))
    frames = iter(source)
    next(frames)
    for number, message in enumerate((b"", b"\0\0\0\1GIF89a", bytes(100), bytes(huge)), 1):

        def take_a_good_one_then(refused=number):
            wait_for(lambda: source.refused["image"] == refused)
            source.take(2, photo(2, 90))

        source.take(2, message)
        threading.Thread(target=take_a_good_one_then).start()
        next(frames)
    source.take(3, photo(3, 9))
    assert source.refused == {"image": 4, "second camera": 1}
