"""Evaluation: how accurate livepose is, in the very configuration that runs live.

``archive`` and ``dataset`` read a set and check all of it; ``predict`` runs the estimator
of the live pipeline over it once and decodes it in several ways; ``metrics`` and ``coco`` score;
``speed`` says what it takes; ``run`` is the command and ``report`` its tables; ``validation`` is
for training.
"""
