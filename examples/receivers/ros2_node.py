# ROS 2: publishes every frame's keypoints as geometry_msgs/PoseArray, a pose a joint.
#   livepose --camera 0 --send udp://127.0.0.1:9001        python3 ros2_node.py
# x and y are px, z is the score; a keypoint that is not there has z = 0.
import json
import socket

import rclpy
from geometry_msgs.msg import Point, Pose, PoseArray
from rclpy.node import Node


class Livepose(Node):
    def __init__(self):
        super().__init__("livepose")
        self.publisher = self.create_publisher(PoseArray, "keypoints", 1)
        self.receiving = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiving.bind(("127.0.0.1", 9001))

    def publish(self):
        said = json.loads(self.receiving.recv(65536))
        if "people" not in said:  # the header, once a second
            return
        array = PoseArray()
        array.header.stamp = self.get_clock().now().to_msg()
        for point in (p or [0.0] * 4 for one in said["people"] for p in one["keypoints"]):
            array.poses.append(Pose(position=Point(x=point[0], y=point[1], z=point[2])))
        self.publisher.publish(array)


if __name__ == "__main__":
    rclpy.init()
    node = Livepose()
    while rclpy.ok():
        node.publish()
