"""Evaluation: how accurate livepose is, in the very configuration that runs live.

``annotations``, ``pictures``, ``people`` and ``mpii`` read a set; ``predict`` runs the estimator of
the live pipeline over it once and decodes it in several ways; ``metrics``, ``scoring``, ``coco``
and ``pck`` score; ``bootstrap`` draws intervals; ``cost`` and ``speed`` say what it takes;
``coco_run`` and ``pck_run`` are the commands; ``validation`` is for training.
"""
