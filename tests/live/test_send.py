"""The keypoint bus: what is sent, to whom, and how little it costs."""

import asyncio
import json
import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from sinks.people import frame, poses
from sources.loopback import free_port
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from livepose.errors import UsageError
from livepose.live.bus import datagram, open_bus
from livepose.live.osc import MOST_BYTES, OscPacker, Slots
from livepose.poses import Poses
from livepose.results.angles import NAMES, AngleMeter
from livepose.sinks.jsonl import make_header
from livepose.skeletons import COCO17

HEADER = make_header(source="camera 0", size_wh=(64, 48))


def messages(data: bytes) -> dict[str, list]:
    """The messages of a bundle by address, read by python-osc."""
    return {one.address: one.params for one in OscBundle(data)}


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiving:
        receiving.bind(("127.0.0.1", 0))
        receiving.settimeout(5.0)
        yield receiving


def port_of(receiving: socket.socket) -> int:
    return receiving.getsockname()[1]


def test_an_osc_bundle_says_frame_ids_and_joints(receiver):
    with open_bus(f"osc://127.0.0.1:{port_of(receiver)}?px", HEADER) as bus:
        bus.write(frame(7, 0.25), poses(2))
    said = messages(receiver.recv(65536))
    assert said["/livepose/frame"] == [7, 0.25, 64, 48, 2]
    assert [said[f"/livepose/{slot}/id"] for slot in (0, 1)] == [[1], [2]]
    for k, name in enumerate(COCO17.keypoints):
        assert said[f"/livepose/1/{name}"] == pytest.approx([110 + k, 20 + k, 0.5 + k / 100, 2.0])
    assert len(said) == 1 + 2 * 18


def test_without_px_the_picture_reaches_from_0_to_1():
    person = poses(1)
    person.keypoints_xy[0, 0] = (-0.5, -0.5)
    person.keypoints_xy[0, 1] = (63.5, 47.5)
    said = messages(OscPacker()(frame(0), person))
    assert said["/livepose/0/nose"][:2] == [0, 0]
    assert said["/livepose/0/left_eye"][:2] == [1, 1]
    assert said["/livepose/0/nose"][3] == pytest.approx(2 / 64)


def test_somebody_gone_has_score_0_at_the_last_place_and_then_no_slot():
    pack = OscPacker(pixels=True)
    pack(frame(0, 0.0), poses(2))
    only_second = poses(2).select(np.array([1]))
    said = messages(pack(frame(1, 0.1), only_second))
    assert said["/livepose/0/id"] == [0] and said["/livepose/1/id"] == [2]
    assert said["/livepose/0/nose"] == [10, 20, 0, 2]
    assert said["/livepose/1/nose"][2] == 0.5
    assert "/livepose/0/id" not in messages(pack(frame(2, 1.1), only_second))


def test_nothing_is_ever_nan():
    pack = OscPacker(pixels=True)
    unknown = poses(1, missing=range(17))
    assert messages(pack(frame(0, 0.0), unknown))["/livepose/0/nose"] == [0, 0, 0, 0]
    pack(frame(1, 0.1), poses(1))
    said = messages(pack(frame(2, 0.2), poses(1, missing=[0, 5])))
    assert said["/livepose/0/nose"] == [10, 20, 0, 2]
    assert said["/livepose/0/left_eye"][2] > 0
    blurred = poses(1)
    blurred = replace(blurred, covariance_px2=np.full_like(blurred.covariance_px2, np.nan))
    assert messages(OscPacker()(frame(0), blurred))["/livepose/0/nose"][3] == 0


def test_a_crowd_stays_within_a_datagram_and_the_lowest_slots_stay():
    data = OscPacker()(frame(0), poses(100))
    assert len(data) < MOST_BYTES
    said = messages(data)
    assert said["/livepose/frame"][4] == 100
    assert "/livepose/0/id" in said and "/livepose/99/id" not in said


def test_slots_are_the_lowest_free_numbers_and_stay_while_an_id_lives():
    slots = Slots()
    assert slots.assign([5, 9], 0.0) == {5: 0, 9: 1}
    assert slots.assign([9, 12], 0.1) == {5: 0, 9: 1, 12: 2}
    assert slots.assign([9, 12], 1.2) == {9: 1, 12: 2}
    assert slots.assign([9, 12, 13, 14], 1.3) == {9: 1, 12: 2, 13: 0, 14: 3}
    assert slots.assign([9], 0.0)[9] == 1, "a stream that begins anew keeps who is there"


def test_datagrams_are_frames_with_number_and_age_after_a_header_each_second(receiver, monkeypatch):
    now_s = [100.0]
    with open_bus(f"udp://127.0.0.1:{port_of(receiver)}", HEADER) as bus:
        monkeypatch.setattr(time, "perf_counter", lambda: now_s[0])
        for index in range(4):
            now_s[0] = 100.0 + 0.5 * index
            live = replace(frame(index, 0.1 * index), captured_s=now_s[0] - 0.02)
            bus.write(live, poses(1))
    said = [json.loads(receiver.recv(65536)) for _ in range(6)]
    assert ["livepose" in one for one in said] == [True, False, False, True, False, False]
    assert said[0]["livepose"]["skeleton"]["keypoints"] == list(COCO17.keypoints)
    assert said[3] == said[0]
    frames = [one for one in said if "seq" in one]
    assert [one["seq"] for one in frames] == [0, 1, 2, 3]
    assert all(one["age_ms"] == 20.0 and one["unix_s"] > 1e9 for one in frames)
    assert frames[0]["people"][0]["keypoints"][0] == [10, 20, 0.5, 2.0]
    assert "covariance_px2" not in frames[0]["people"][0]


def test_full_adds_covariances(receiver):
    with open_bus(f"udp://127.0.0.1:{port_of(receiver)}?full", HEADER) as bus:
        bus.write(frame(0), poses(1))
    receiver.recv(65536)
    assert json.loads(receiver.recv(65536))["people"][0]["covariance_px2"][0] == [4, 0, 4]


def test_a_crowd_is_cut_to_one_datagram_and_says_so(receiver):
    with open_bus(f"udp://127.0.0.1:{port_of(receiver)}?full", HEADER) as bus:
        bus.write(frame(0), poses(80))
    receiver.recv(65536)
    data = receiver.recv(65536)
    said = json.loads(data)
    assert MOST_BYTES * 0.8 < len(data) <= MOST_BYTES
    assert said["left_out"] + len(said["people"]) == 80


def test_json_carries_the_angles_that_its_header_names(receiver):
    header = {**HEADER, "angles": list(NAMES)}
    expected = json.loads("{" + AngleMeter()(poses(4)).to_json()[3] + "}")["angles"]
    with open_bus(f"udp://127.0.0.1:{port_of(receiver)}", header) as bus:
        bus.write(frame(0), poses(4))
        by_datagram = [json.loads(receiver.recv(65536)) for _ in range(2)]
    port, stop = free_port(), threading.Event()
    with open_bus(f"ws://127.0.0.1:{port}", header) as bus:
        writing = threading.Thread(target=write_until, args=(bus, stop))
        writing.start()
        with connect(f"ws://127.0.0.1:{port}") as client:
            by_socket = [json.loads(client.recv(timeout=5)) for _ in range(2)]
        stop.set()
        writing.join()
    for opening, told in (by_datagram, by_socket):
        assert opening["livepose"]["angles"] == list(NAMES)
        assert told["people"][3]["angles"] == expected
    crowd = json.loads(datagram(frame(0), poses(80), "plain", 0, AngleMeter()(poses(80)).to_json()))
    assert 0 < len(crowd["people"]) < 80
    assert len(crowd["people"][-1]["angles"]) == len(NAMES)


@pytest.mark.parametrize("scheme", ["osc", "udp"])
def test_nobody_listening_is_silent(scheme, capfd):
    with open_bus(f"{scheme}://127.0.0.1:9", HEADER) as bus:
        for index in range(20):
            bus.write(frame(index), poses(1))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("osc://no-such-host.invalid:9000", "cannot be resolved"),
        ("udp://a..b:9000", "cannot be resolved"),
        ("http://127.0.0.1:1", "expected osc://HOST:PORT"),
        ("osc://127.0.0.1", "expected osc://HOST:PORT"),
        ("osc://127.0.0.1:99999", "expected osc://HOST:PORT"),
        ("udp://[::1", "expected osc://HOST:PORT"),
        ("udp://127.0.0.1:5?px", "px is unknown"),
        ("ws://0.0.0.0:8000", "expected 127.0.0.1"),
        ("nonsense", "expected osc://HOST:PORT"),
        ("udp://me:secret@a..b:9000", r"me:\*\*\*@a..b:9000: the host"),
    ],
)
def test_an_address_that_cannot_be_right_is_one_sentence(url, sentence):
    with pytest.raises(UsageError, match=sentence):
        open_bus(url, HEADER)


@pytest.fixture
def socket_bus():
    with open_bus("ws://127.0.0.1:0".replace(":0", f":{free_port()}"), HEADER) as bus:
        yield bus


def address(bus) -> str:
    return f"ws://127.0.0.1:{bus.endpoint.port}/"


def write_until(bus, stop: threading.Event, every_s: float = 0.01) -> int:
    index = 0
    while not stop.is_set():
        bus.write(replace(frame(index), captured_s=time.perf_counter()), poses(4))
        index += 1
        time.sleep(every_s)
    return index


@pytest.fixture
def running(socket_bus):
    stop = threading.Event()
    writing = threading.Thread(target=write_until, args=(socket_bus, stop))
    writing.start()
    yield socket_bus
    stop.set()
    writing.join()


def test_every_client_gets_the_header_and_then_frames(running):
    with connect(address(running)) as first, connect(address(running)) as second:
        for client in (first, second):
            assert json.loads(client.recv(5))["livepose"]["source"] == "camera 0"
            numbers = [json.loads(client.recv(5))["seq"] for _ in range(5)]
            assert numbers == sorted(set(numbers))


def test_the_lag_of_a_slow_client_does_not_grow(running):
    async def slowly() -> list[float]:
        from websockets.asyncio.client import connect as connect_slowly

        ages_ms = []
        async with connect_slowly(address(running), max_queue=1) as client:
            await client.recv()
            for _ in range(20):
                ages_ms.append(time.perf_counter())
                said = json.loads(await client.recv())
                await asyncio.sleep(0.1)
                ages_ms[-1] = (time.time() - 0.1 - said["unix_s"]) * 1e3
        return ages_ms

    ages_ms = asyncio.run(slowly())
    assert max(ages_ms[10:]) < 1000
    assert np.median(ages_ms[-5:]) < np.median(ages_ms[3:8]) + 200


def test_a_client_that_never_reads_holds_up_nobody(running):
    with socket.create_connection(("127.0.0.1", running.endpoint.port)) as deaf:
        deaf.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{running.endpoint.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        with connect(address(running)) as client:
            client.recv(5)
            start_s = time.perf_counter()
            numbers = [json.loads(client.recv(5))["seq"] for _ in range(50)]
            assert time.perf_counter() - start_s < 10
            assert numbers[-1] - numbers[0] >= 49


def test_pages_of_other_servers_may_not_listen(running):
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example"):
        with pytest.raises(InvalidStatus) as refused:
            connect(address(running), origin=origin)
        assert refused.value.response.status_code == 403
    assert running.endpoint.refused["origin"] == 3
    with connect(address(running), origin="http://localhost:8000") as client:
        assert "livepose" in client.recv(5)


def test_closing_lets_the_clients_go_and_ends_the_thread(socket_bus):
    with connect(address(socket_bus)) as client:
        client.recv(5)
        socket_bus.close()
        socket_bus.close()
        with pytest.raises(ConnectionClosed):
            client.recv(5)
    assert not any(one.name == "server" for one in threading.enumerate())


def test_a_port_in_use_is_one_sentence(socket_bus):
    with pytest.raises(UsageError, match="choose another port"):
        open_bus(address(socket_bus), HEADER)


def test_four_people_are_packed_in_a_fifth_of_a_millisecond():
    pack, one, people = OscPacker(), frame(0), poses(4)
    took_s = []
    for _ in range(200):
        start_s = time.perf_counter()
        pack(one, people)
        took_s.append(time.perf_counter() - start_s)
    assert np.percentile(took_s, 20) < 0.2e-3
    assert len(Poses.empty()) == 0 and len(messages(pack(one, Poses.empty()))) == 1 + 4 * 18
