"""The example receivers, with stand-ins for the programs that they run in."""

import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pythonosc.osc_bundle import OscBundle
from sinks.people import frame, poses
from sources.loopback import free_port

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


def send(port: int, people: int, missing: list[int]) -> None:
    with open_bus(f"udp://127.0.0.1:{port}", HEADER) as bus:
        bus.write(frame(0), poses(people, missing=missing))


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
    send(own_ports[9001], people=2, missing=[3])
    move()
    assert bpy.data.objects["2 nose"].location == (1.10, 0, -0.20)
    assert "1 left_ear" not in bpy.data.objects and len(linked) == 2 * 16
    script["receiving"].close()


def test_ros_publishes_an_array_of_poses(own_ports, monkeypatch):
    published = []

    class Node:
        def __init__(self, name):
            assert name == "livepose"

        def create_publisher(self, kind, topic, depth):
            return SimpleNamespace(publish=published.append)

        def get_clock(self):
            return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=lambda: "now"))

    message = SimpleNamespace
    array_of = lambda: message(header=message(stamp=None), poses=[])  # noqa: E731
    messages = message(Point=message, Pose=message, PoseArray=array_of)
    modules = {"rclpy": message(), "rclpy.node": message(Node=Node), "geometry_msgs": message()}
    for name, module in {**modules, "geometry_msgs.msg": messages}.items():
        monkeypatch.setitem(sys.modules, name, module)
    livepose = runpy.run_path(str(RECEIVERS / "ros2_node.py"))["Livepose"]()
    livepose.receiving.settimeout(5)
    send(own_ports[9001], people=2, missing=[3])
    livepose.publish()
    livepose.publish()
    (array,) = published
    assert array.header.stamp == "now" and len(array.poses) == 2 * 17
    nose, gone = array.poses[17].position, array.poses[3].position
    assert (nose.x, nose.y, nose.z) == (110, 20, 0.5) and gone.z == 0
    livepose.receiving.close()


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


UNITY = """
namespace UnityEngine {
  public struct Vector3 { public float x, y, z;
    public Vector3(float a, float b, float c) { x = a; y = b; z = c; } }
  public class Transform {
    public System.Collections.Generic.Dictionary<string, Transform> children =
      new System.Collections.Generic.Dictionary<string, Transform>();
    public Vector3 localPosition;
    public Transform Find(string n) { Transform t; children.TryGetValue(n, out t); return t; } }
  public class MonoBehaviour { public Transform transform = new Transform(); }
}
public class Test {
  public static void Main() {
    var script = new Livepose(); script.port = PORT;
    var joint = new UnityEngine.Transform(); script.transform.children["1/nose"] = joint;
    var type = typeof(Livepose);
    var flags = System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Instance;
    type.GetMethod("OnEnable", flags).Invoke(script, null);
    System.Console.WriteLine("listening"); System.Console.ReadLine();
    type.GetMethod("Update", flags).Invoke(script, null);
    System.Console.WriteLine(System.FormattableString.Invariant(
      $"{joint.localPosition.x:F3} {joint.localPosition.y:F3}"));
  }
}
"""


@pytest.mark.skipif(shutil.which("mcs") is None, reason="needs a C# compiler (Debian: mono-mcs)")
def test_unity_moves_the_joints(tmp_path):
    port = free_port()
    (tmp_path / "test.cs").write_text(UNITY.replace("PORT", str(port)))
    program = tmp_path / "test.exe"
    compile_it = ["mcs", f"-out:{program}", "-r:System.dll", RECEIVERS / "Livepose.cs"]
    subprocess.run([*compile_it, tmp_path / "test.cs"], check=True, capture_output=True, timeout=60)
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(["mono", program], **how) as unity:
        assert unity.stdout.readline() == "listening\n"
        with open_bus(f"osc://127.0.0.1:{port}", HEADER) as bus:
            for index in range(3):
                bus.write(frame(index, size_wh=(640, 480)), poses(2))
        unity.stdin.write("\n")
        unity.stdin.flush()
        x, y = map(float, unity.stdout.readline().split())
    assert x == pytest.approx(110.5 / 640, abs=2e-3)
    assert y == pytest.approx(1 - 20.5 / 480, abs=2e-3)
