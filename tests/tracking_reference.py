"""Plain NumPy twins of the numba kernels of boxes and tracking, for all boxes at once."""

import numpy as np

from livepose.tracking import _box_kernels as kernels
from livepose.tracking import _kernels


def iou(first, second):
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    wh = np.clip(high - low, 0.0, None)
    shared = wh[..., 0] * wh[..., 1]
    areas = [
        np.prod(np.clip(one[:, 2:] - one[:, :2], 0.0, None), axis=1) for one in (first, second)
    ]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1.0), 0.0)


def advance(xywh, velocity, variance, dt_s, acceleration, size_memory_s):
    """Constant velocity, white noise of acceleration; see ``livepose.tracking._box_kernels``."""
    later = xywh + velocity * dt_s
    later[:, 2:] = np.maximum(later[:, 2:], 1.0)
    slower = velocity.copy()
    slower[:, 2:] *= np.exp(-dt_s / size_memory_s)
    density = acceleration**2 * np.maximum(xywh[:, 2] * xywh[:, 3], 1.0)[:, None]
    move = np.array([[1.0, dt_s], [0.0, 1.0]])
    noise = np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]])
    covariance = variance[..., [0, 1, 1, 2]].reshape(*variance.shape[:2], 2, 2)
    grown = move @ covariance @ move.T + density[..., None, None] * noise
    return later, slower, grown.reshape(*variance.shape[:2], 4)[..., [0, 1, 3]]


def correct(xywh, velocity, variance, boxes_xyxy, noise):
    """The Kalman update of each number by a measurement of its value."""
    low, high = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    surprise = np.concatenate([(low + high) / 2, high - low], axis=1) - xywh
    value, cross, rate = np.moveaxis(variance, -1, 0)
    total = value + noise**2 * np.maximum(xywh[:, 2] * xywh[:, 3], 1.0)[:, None]
    after = xywh + value / total * surprise
    after[:, 2:] = np.maximum(after[:, 2:], 1.0)
    known = [value - value**2 / total, cross - value * cross / total, rate - cross**2 / total]
    return after, velocity + cross / total * surprise, np.stack(known, axis=-1)


def surround(keypoints_xy):
    """Boxes around keypoints (T, K, 2), NaN left out."""
    found = np.full((len(keypoints_xy), 4), np.nan)
    for box, points in zip(found, keypoints_xy, strict=True):
        seen = points[np.isfinite(points).all(axis=1)]
        if len(seen):
            box[:] = *seen.min(axis=0), *seen.max(axis=0)
    return found


def follow(boxes_xyxy, before_xy, now_xy, margins, dt_s, outwards_s, inwards_s):
    """Edges move with the keypoints seen both times, then towards where the margins put them."""
    outwards = np.array([-1.0, -1.0, 1.0, 1.0])
    common = np.isfinite(before_xy + now_xy)
    step = surround(np.where(common, now_xy, np.nan)) - surround(
        np.where(common, before_xy, np.nan)
    )
    moved = boxes_xyxy + np.where(np.isfinite(step), step, 0.0)
    around = surround(now_xy)
    extent = np.maximum((around[:, 2:] - around[:, :2]).max(axis=1, keepdims=True), 1.0)
    wanted = around + margins * extent * outwards
    pull_s = np.where((wanted - moved) * outwards > 0, outwards_s, inwards_s)
    followed = moved + (1.0 - np.exp(-dt_s[:, None] / pull_s)) * (wanted - moved)
    reaching = outwards * np.fmax(followed * outwards, around * outwards)
    return np.where(np.isfinite(wanted), reaching, moved)


def oks(first_xy, second_xy, areas_px2, sigmas, near, least_common):
    """COCO's object keypoint similarity, pair by pair."""
    likeness = np.zeros(near.shape)
    for p, q in np.argwhere(near):
        apart_px2 = ((first_xy[p] - second_xy[q]) ** 2).sum(axis=1)
        common = np.isfinite(apart_px2)
        if common.sum() >= least_common:
            spread_px2 = 2 * max(areas_px2[q], 1.0) * (2 * sigmas[common]) ** 2
            likeness[p, q] = np.exp(-apart_px2[common] / spread_px2).mean()
    return likeness


# -- the kernels themselves, which change one box in place, for several and on copies --------------


def moved_on(table, dt_s, acceleration):
    later = table.copy()
    _kernels.advance(later, 0.0, float(dt_s), float(acceleration), np.inf)
    return later


def corrected(table, boxes_xyxy, noise):
    after = table.copy()
    kernels.correct_rows(after, np.arange(len(after)), boxes_xyxy, float(noise))
    return after


def learned_margins(margins, keypoints_xy, detected_xyxy):
    learned = np.array(margins, dtype=float)
    for one, xy, edges in zip(learned, keypoints_xy, detected_xyxy, strict=True):
        kernels.learn_margins(one, xy, tuple(float(edge) for edge in edges))
    return learned


def followed(boxes_xyxy, before_xy, now_xy, margins, dt_s):
    boxes = np.array(boxes_xyxy, dtype=float)
    for t, box in enumerate(boxes):
        kernels.follow(box, before_xy[t], now_xy[t], margins[t], float(dt_s[t]))
    return boxes
