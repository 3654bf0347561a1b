"""Where results go: video, JSON Lines, OpenPose and COCO files, images. Tables: ``results``.

``docs/output-format.md`` has the schema of each. Every sink is loaded from its own file: what is
checked before a run needs none of them.
"""
