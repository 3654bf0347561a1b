"""The example receivers, with stand-ins for the programs that they run in."""

import runpy
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from pythonosc.osc_bundle import OscBundle
from sinks.people import frame, poses

from livepose.live.bus import OscPacker, open_bus
from livepose.sinks.jsonl import make_header

RECEIVERS = Path(__file__).resolve().parents[2] / "examples" / "receivers"
HEADER = make_header(source="camera 0", size_wh=(640, 480))


@pytest.fixture
def own_ports(monkeypatch):
    """Lets the examples listen on a free port, whatever port they name: {asked: given}."""
    bind, given = socket.socket.bind, {}

    def on_a_free_port(self, address):
        bind(self, (address[0], 0))
        given[address[1]] = self.getsockname()[1]

    monkeypatch.setattr(socket.socket, "bind", on_a_free_port)
    return given


def send(port):
    """Two people, of whom nobody has a left ear."""
    with open_bus(f"udp://127.0.0.1:{port}", HEADER) as bus:
        bus.write(frame(0), poses(2, missing=[3]))


def test_each_is_about_30_lines_long():
    for path in RECEIVERS.iterdir():
        assert len(path.read_text().splitlines()) <= 36, path


def test_blender_moves_an_empty_for_each_joint(own_ports, monkeypatch):
    class Objects(dict):
        def new(self, name, data):
            return self.setdefault(name, SimpleNamespace(name=name, location=None))

    bpy = MagicMock()
    bpy.data.objects = Objects()
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    script = runpy.run_path(str(RECEIVERS / "blender_udp.py"))
    (move,) = bpy.app.timers.register.call_args.args
    assert move() > 0
    send(own_ports[9001])
    move()
    assert bpy.data.objects["2 nose"].location == (1.10, 0, -0.20)
    assert "1 left_ear" not in bpy.data.objects
    assert bpy.context.collection.objects.link.call_count == 2 * 16
    script["receiving"].close()


def test_ros_2_publishes_a_pose_for_each_joint(own_ports, monkeypatch):
    class Node:
        def __init__(self, name):
            self.create_publisher = self.get_clock = MagicMock()

    ros = SimpleNamespace(Node=Node, Point=SimpleNamespace, Pose=SimpleNamespace)
    ros.PoseArray = lambda: SimpleNamespace(header=SimpleNamespace(), poses=[])
    for name in ("rclpy", "rclpy.node", "geometry_msgs", "geometry_msgs.msg"):
        monkeypatch.setitem(sys.modules, name, ros)
    node = runpy.run_path(str(RECEIVERS / "ros2_node.py"))["Livepose"]()
    send(own_ports[9001])
    node.publish()  # the header
    assert not node.publisher.publish.called
    node.publish()
    (array,) = node.publisher.publish.call_args.args
    places = [vars(one.position) for one in array.poses]
    assert len(places) == 2 * 17 and places[17] == {"x": 110.0, "y": 20.0, "z": 0.5}
    assert places[3] == {"x": 0.0, "y": 0.0, "z": 0.0}
    node.receiving.close()


def test_touchdesigner_keeps_a_row_for_each_joint():
    class Table(dict):
        row = dict.get

        def appendRow(self, values):  # noqa: N802 - as TouchDesigner calls it
            self[values[0]] = values

        def replaceRow(self, name, values):  # noqa: N802
            assert name in self
            self[name] = values

    table, stored = Table(), {}
    parent = SimpleNamespace(op={"people": table}.get, store=stored.__setitem__)
    receive = runpy.run_path(str(RECEIVERS / "touchdesigner_osc.py"))["onReceiveOSC"]
    dat, pack = SimpleNamespace(parent=lambda: parent), OscPacker(pixels=True)
    for index in range(2):
        for one in OscBundle(pack(frame(index), poses(2))):
            receive(dat, 0, "", b"", 0.0, one.address, one.params, None)
    assert stored["frame"][4] == 2 and len(table) == 2 * 17
    assert table["1/nose"] == ["1/nose", 110, 20, 0.5, 2]
