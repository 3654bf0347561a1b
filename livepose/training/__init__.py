"""Training: annotated sets in, a pose network or a person detector out.

``loop`` is the one loop and its schedule, for any ``Task`` of ``train_step`` (``pose``,
``detector``); ``settings`` has everything that can be chosen. Data: ``data`` (who there is),
``plan`` (what is done to a crop), ``crops`` (the crop and its colours). Learning: ``train_step``,
``optim``. What stays: ``records``. To carry: ``pack``.

The training needs torch, numpy, OpenCV, numba and safetensors, and nothing else.
"""
