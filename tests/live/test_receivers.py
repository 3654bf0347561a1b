"""The example receivers, with stand-ins for the programs that they run in."""

import runpy
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pythonosc.osc_bundle import OscBundle
from sinks.people import frame, poses

from livepose.live.bus import OscPacker, open_bus
from livepose.sinks.jsonl import make_header

RECEIVERS = Path(__file__).resolve().parents[2] / "examples" / "receivers"


@pytest.fixture
def own_ports(monkeypatch):
    """Lets the examples listen on a free port, whatever port they name: {asked: given}."""
    bind, given = socket.socket.bind, {}

    def on_a_free_port(self, address):
        bind(self, (address[0], 0))
        given[address[1]] = self.getsockname()[1]

    monkeypatch.setattr(socket.socket, "bind", on_a_free_port)
    return given


def test_each_is_about_30_lines_long():
    for path in RECEIVERS.iterdir():
        assert len(path.read_text().splitlines()) <= 36, path


def test_blender_moves_an_empty_for_each_joint(own_ports, monkeypatch):
    class Objects(dict):
        def new(self, name, data):
            self[name] = SimpleNamespace(name=name, location=None)
            return self[name]

    linked, registered = [], []
    collection = SimpleNamespace(objects=SimpleNamespace(link=linked.append))
    bpy = SimpleNamespace(
        data=SimpleNamespace(objects=Objects()),
        context=SimpleNamespace(collection=collection),
        app=SimpleNamespace(timers=SimpleNamespace(register=registered.append)),
    )
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    script = runpy.run_path(str(RECEIVERS / "blender_udp.py"))
    (move,) = registered
    assert move() > 0
    header = make_header(source="camera 0", size_wh=(640, 480))
    with open_bus(f"udp://127.0.0.1:{own_ports[9001]}", header) as bus:
        bus.write(frame(0), poses(2, missing=[3]))
    move()
    assert bpy.data.objects["2 nose"].location == (1.10, 0, -0.20)
    assert "1 left_ear" not in bpy.data.objects and len(linked) == 2 * 16
    script["receiving"].close()


def test_touchdesigner_keeps_a_row_for_each_joint():
    class Table:
        def __init__(self):
            self.rows = {}

        def row(self, name):
            return self.rows.get(name)

        def appendRow(self, values):  # noqa: N802 - as TouchDesigner calls it
            self.rows[values[0]] = values

        def replaceRow(self, name, values):  # noqa: N802
            self.rows[name] = values

    table, stored = Table(), {}
    parent = SimpleNamespace(op={"people": table}.get, store=stored.__setitem__)
    receive = runpy.run_path(str(RECEIVERS / "touchdesigner_osc.py"))["onReceiveOSC"]
    for index in range(2):
        for one in OscBundle(OscPacker(pixels=True)(frame(index), poses(2))):
            dat = SimpleNamespace(parent=lambda: parent)
            receive(dat, 0, "", b"", 0.0, one.address, one.params, None)
    assert stored["frame"][4] == 2 and len(table.rows) == 2 * 17
    assert table.rows["1/nose"] == ["1/nose", 110, 20, 0.5, 2]
