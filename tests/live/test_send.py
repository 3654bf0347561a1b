"""The keypoint bus: what is sent, to whom, and how little it costs."""

import json
import socket
import time
from dataclasses import replace

import numpy as np
import pytest
from live.requests_ import messages, repeating
from sinks.people import frame, poses
from sources.loopback import free_port
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from livepose.errors import UsageError
from livepose.live.bus import MOST_BYTES, OscPacker, open_bus
from livepose.results.angles import NAMES, AngleMeter
from livepose.sinks.jsonl import frame_json, make_header
from livepose.skeletons import COCO17

HEADER = make_header(source="camera 0", size_wh=(64, 48))


def test_an_osc_bundle_says_frame_ids_and_joints(receiver):
    with open_bus(f"osc://127.0.0.1:{receiver.getsockname()[1]}?px", HEADER) as bus:
        bus.write(frame(7, 0.25), poses(2))
    said = messages(receiver.recv(65536))
    assert said["/livepose/frame"] == [7, 0.25, 64, 48, 2]
    assert [said[f"/livepose/{slot}/id"] for slot in (0, 1)] == [[1], [2]]
    for k, name in enumerate(COCO17.keypoints):
        assert said[f"/livepose/1/{name}"] == pytest.approx([110 + k, 20 + k, 0.5 + k / 100, 2.0])
    assert len(said) == 1 + 2 * 18
    person = poses(1)
    person.keypoints_xy[0, :2] = (-0.5, -0.5), (63.5, 47.5)
    said = messages(OscPacker()(frame(0), person))  # without px the image reaches from 0 to 1
    assert said["/livepose/0/nose"][:2] == [0, 0] and said["/livepose/0/left_eye"][:2] == [1, 1]


def test_somebody_gone_has_score_0_at_the_last_place_and_then_no_slot_and_nothing_is_nan():
    pack = OscPacker(pixels=True)
    pack(frame(0, 0.0), poses(2))
    only_second = poses(2)[1]
    said = messages(pack(frame(1, 0.1), only_second))
    assert said["/livepose/0/id"] == [0] and said["/livepose/1/id"] == [2]
    assert said["/livepose/0/nose"] == [10, 20, 0, 2]
    assert said["/livepose/1/nose"][2] == 0.5
    assert "/livepose/0/id" not in messages(pack(frame(2, 1.1), only_second))
    newcomer = replace(poses(2), track_ids=np.array([7, 2]))
    said = messages(pack(frame(3, 1.2), newcomer))
    assert said["/livepose/0/id"] == [7] and said["/livepose/1/id"] == [2]
    unknown = poses(1, missing=range(17))
    assert messages(OscPacker()(frame(0), unknown))["/livepose/0/nose"] == [0, 0, 0, 0]
    blurred = replace(poses(1), covariance_px2=np.full((1, 17, 2, 2), np.nan))
    assert messages(OscPacker()(frame(0), blurred))["/livepose/0/nose"][3] == 0


def test_a_crowd_stays_within_a_datagram(receiver):
    data = OscPacker()(frame(0), poses(100))
    assert len(data) < MOST_BYTES
    assert messages(data)["/livepose/frame"][4] == 100
    with open_bus(f"udp://127.0.0.1:{receiver.getsockname()[1]}?full", HEADER) as bus:
        bus.write(frame(0), poses(100))
    receiver.recv(65536)  # the header
    data = receiver.recv(65536)
    said = json.loads(data)
    assert MOST_BYTES * 0.8 < len(data) <= MOST_BYTES
    assert said["left_out"] + len(said["people"]) == 100


@pytest.mark.parametrize("detail", ["", "?full"])
def test_datagrams_are_frames_with_number_and_age_after_a_header_each_second(
    receiver, monkeypatch, detail
):
    now_s = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now_s[0])
    with open_bus(f"udp://127.0.0.1:{receiver.getsockname()[1]}{detail}", HEADER) as bus:
        for index in range(4):
            now_s[0] = 100.0 + 0.5 * index
            bus.write(replace(frame(index), captured_s=now_s[0] - 0.02), poses(1))
    said = [json.loads(receiver.recv(65536)) for _ in range(6)]
    assert ["livepose" in one for one in said] == [True, False, False, True, False, False]
    assert said[3] == said[0] and said[0]["livepose"]["source"] == "camera 0"
    told = [one for one in said if "seq" in one]
    assert [one["seq"] for one in told] == [0, 1, 2, 3]
    assert all(one["age_ms"] == 20.0 and one["unix_s"] > 1e9 for one in told)
    assert list(told[0]) == ["seq", "age_ms", "frame", "time_s", "unix_s", "people"]
    (person,) = told[0]["people"]
    assert person["keypoints"][0] == [10, 20, 0.5, 2.0]
    assert person.get("covariance_px2", [None])[0] == ([4, 0, 4] if detail else None)


def test_nobody_listening_is_silent(capfd):
    for scheme in ("osc", "udp"):
        with open_bus(f"{scheme}://127.0.0.1:9", HEADER) as bus:
            for index in range(20):
                bus.write(frame(index), poses(1))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("osc://no-such-host.invalid:9000", "cannot be resolved"),
        ("osc://127.0.0.1:99999", "expected osc://HOST:PORT"),
        ("udp://127.0.0.1:5?px", "px is unknown"),
        ("ws://0.0.0.0:8000", "expected 127.0.0.1"),
        ("udp://me:secret@a..b:9000", r"me:\*\*\*@a..b:9000: the host"),
    ],
)
def test_an_address_that_cannot_be_right_is_one_sentence(url, sentence):
    with pytest.raises(UsageError, match=sentence):
        open_bus(url, HEADER)


@pytest.fixture
def running():
    """A web socket on which four people are sent, a hundred times a second."""

    def write(index: int) -> None:
        bus.write(replace(frame(index), captured_s=time.perf_counter()), poses(4))

    header = {**HEADER, "angles": list(NAMES)}
    with open_bus(f"ws://127.0.0.1:{free_port()}", header) as bus, repeating(write, 0.01):
        yield bus


def address(bus) -> str:
    return f"ws://127.0.0.1:{bus.endpoint.port}/"


def test_every_client_gets_the_header_and_then_frames_also_beside_one_that_never_reads(running):
    angles = json.loads("{" + AngleMeter()(poses(4)).to_json()[3] + "}")["angles"]
    with socket.create_connection(("127.0.0.1", running.endpoint.port)) as deaf:
        deaf.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{running.endpoint.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        with connect(address(running)) as first, connect(address(running)) as second:
            for client in (first, second):
                assert json.loads(client.recv(5))["livepose"]["angles"] == list(NAMES)
                said = [json.loads(client.recv(5)) for _ in range(20)]
                numbers = [one["seq"] for one in said]
                assert numbers == sorted(set(numbers))
                assert said[0]["people"][3]["angles"] == angles


def test_the_lag_of_a_slow_client_does_not_grow(running):
    ages_s = []
    with connect(address(running), max_queue=1, close_timeout=0.1) as client:
        client.recv(5)
        for _ in range(12):
            ages_s.append(time.time() - json.loads(client.recv(5))["unix_s"])
            time.sleep(0.1)
    assert max(ages_s[7:]) < 1.0
    assert np.median(ages_s[-5:]) < np.median(ages_s[2:7]) + 0.2


def test_pages_of_other_servers_may_not_listen(running):
    for origin in ("null", "http://127.0.0.1.evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address(running), origin=origin)
        assert refused.value.response.status_code == 403
    assert running.endpoint.refused["origin"] == 2
    with connect(address(running), origin="http://localhost:8000") as client:
        assert "livepose" in client.recv(5)
    with pytest.raises(UsageError, match="choose another port"):
        open_bus(address(running), HEADER)


@pytest.mark.parametrize("pack", [OscPacker(), frame_json], ids=["osc", "json"])
def test_four_people_are_packed_in_a_fifth_of_a_millisecond(pack):
    one, people, took_s = frame(0), poses(4), []
    for _ in range(200):
        start_s = time.perf_counter()
        pack(one, people)
        took_s.append(time.perf_counter() - start_s)
    assert np.percentile(took_s, 20) < 0.2e-3
