"""Training: keypoint sets in, a pose network out.

The way of a crop: ``people`` (who there is) -> ``order`` (who comes when) -> ``plan`` (what is
done to the crop) -> ``render`` or ``device_augment`` (the crop) -> ``appearance`` (its colours)
-> ``learner`` (one step). ``trainer`` is the loop, ``run`` the whole. Every crop is a pure
function of seed, step and place in the batch.

The training needs torch, numpy, OpenCV, numba and safetensors, and nothing else.
"""
