"""A pose network as one file that runs without livepose: bytes in, keypoints out.

``graph`` and ``dark`` are what the file computes, ``files`` writes it and compares what it finds
with livepose on real people. ``docs/library.md`` has the form of input and output.
"""

from livepose.export.files import export

__all__ = ["export"]
