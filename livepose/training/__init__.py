"""Training: annotated sets in, a pose network or a person detector out.

``loop`` is the one loop, for any task: ``pose`` and ``detector``; ``settings`` has everything that
can be chosen. Data: ``data`` and ``labels`` (who there is), ``sampler`` (who comes when), ``plan``
(what is done to a crop), ``crops`` (the crop), ``appearance`` (its colours), ``targets``;
``detector_data`` for whole pictures. Learning: ``train_step``, ``optim``, ``schedule``,
``processes``. What stays: ``checkpoint``, ``log``, ``export``, ``pack``.

The training needs torch, numpy, OpenCV, numba and safetensors, and nothing else.
"""
