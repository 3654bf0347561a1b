# Blender: run this in the text editor. Empties named "1 nose" (id and joint) follow the people.
#   livepose --camera 0 --send udp://127.0.0.1:9001
import json
import socket

import bpy

receiving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiving.bind(("127.0.0.1", 9001))
receiving.setblocking(False)
about = {}


def move():
    frame = None
    try:
        while True:  # the newest frame alone
            said = json.loads(receiving.recv(65536))
            about.update(said.get("livepose", {}))
            frame = said if "people" in said else frame
    except BlockingIOError:
        pass
    for person in frame["people"] if frame and about else []:
        for joint, point in zip(about["skeleton"]["keypoints"], person["keypoints"]):
            if point and point[2] > 0.2:  # x, y, score, sigma in px
                name = f"{person['id']} {joint}"
                if name not in bpy.data.objects:
                    bpy.context.collection.objects.link(bpy.data.objects.new(name, None))
                bpy.data.objects[name].location = (point[0] / 100, 0, -point[1] / 100)
    return 1 / 60


bpy.app.timers.register(move)
