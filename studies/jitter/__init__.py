"""Jitter: how much keypoints tremble, and how late they are, by filter.

Photographs moved by a known camera give the truth (``scenes``); the network looks at each image
once (``recording``), and every filter is then tried on the same observations (``measures``,
``curves``, ``report``).
"""
