"""Evaluation: how accurate livepose is, in the very configuration that runs live.

``annotations``, ``pictures``, ``people`` and ``mpii`` read a set; ``predict`` runs the estimator of
the live pipeline over it once and decodes it in several ways; ``metrics``, ``scoring``, ``coco``
and ``pck`` score; ``bootstrap`` draws intervals; ``cost`` and ``speed`` say what it takes;
``coco_run``, ``pck_run``, ``pareto`` and ``quantisation`` are the commands; ``peers`` are other
people's networks; ``published`` the tables of the papers; ``validation`` is for training.
"""
