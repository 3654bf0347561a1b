"""What will be done to each crop of a batch: drawn once, then carried out on a CPU or a device.

A plan is arrays, one row a crop, and a pure function of (seed, step, row). The curriculum, 0 to 1,
is how hard crops are made: at 0 no rotation, no half bodies and no occlusion.

Scale, rotation, flip and half-body follow the training of HRNet (Sun et al., CVPR 2019, section
4.1). The webcam cut is for people seated close to a camera: the image itself is made to end at
their chest or waist, and the box with it; keypoints beyond are known to be absent.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.crops import CropGeometry
from livepose.skeletons import Skeleton
from livepose.training.data import People
from livepose.weights.card import STRIDE

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_COLUMNS = 64
MIN_CUT_PX, MIN_CUT_BOX_PX, MIN_TORSO_PX = 24.0, 50.0, 20.0
HALF_BODY_FROM = 8  # keypoints


@dataclass(frozen=True)
class Augment:
    """How strongly crops are changed; shares are of all crops, (c): grows with the curriculum."""

    webcam: float = 0.3  # share whose image ends at chest, waist or thigh
    webcam_rotation: float = 0.4  # factor on the rotation of those: webcams stand upright
    half_body: float = 0.2  # share cropped to the upper or lower body (c)
    scale: float = 0.35  # largest change of scale, as a factor 1 +- this
    edge_shake: float = 0.04  # of each box edge, a standard deviation over the box's side
    rotated: float = 0.6  # share
    rotation_deg: float = 45.0  # standard deviation (c)
    flipped: float = 0.5  # share
    colour: float = 0.7  # share with other brightness, contrast and tint
    grey: float = 0.2  # share with less saturation
    blur: float = 0.15  # share
    noise: float = 0.2  # share
    occlusion: float = 0.2  # share with a rectangle of one colour (c)
    absent_weight: float = 0.1  # of keypoints that are known to be out of sight


def _turned(
    geometry: CropGeometry, boxes_xyxy: Floats, rotation_deg: Floats, flip: Flags
) -> Floats:
    """Image px to input px, (P, 2, 3), for boxes (P, 4), turned, some of them mirrored."""
    matrices = geometry.matrices(boxes_xyxy, rotation_deg)
    _, _, (centre_x, _) = geometry.placing(geometry.input_hw)
    matrices[flip, 0] *= -1
    matrices[flip, 0, 2] += 2 * centre_x
    return matrices


def _input_to_heatmap(geometry: CropGeometry, input_xy: Floats) -> Floats:
    """Input px (..., 2) to heatmap px: box centres fall on box centres, spans on spans."""
    _, span, centre = geometry.placing(geometry.input_hw)
    _, cells, middle = geometry.placing(heatmap_hw(geometry.input_hw))
    across = cells[0] / span[0]
    down = cells[1] / span[1] if span[1] else across
    return np.asarray((input_xy - np.array(centre)) * (across, down) + np.array(middle))


def heatmap_hw(input_hw: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the heatmap of an input."""
    return input_hw[0] // STRIDE, input_hw[1] // STRIDE


def transform(matrices: Floats, xy: Floats) -> Floats:
    """Affine matrices (P, 2, 3) applied to points (P, K, 2)."""
    return np.asarray(np.einsum("pij,pkj->pki", matrices[:, :, :2], xy) + matrices[:, None, :, 2])


@dataclass(frozen=True)
class Plan:
    """What happens to B crops; see the module.

    ``matrices`` (B, 2, 3) image px to input px. ``windows_xyxy`` (B, 4) what is left of the
    image, in edges. ``heatmap_xy`` (B, K, 2), ``weights`` and ``absent_weights`` (B, K) are in
    the order of the skeleton after mirroring. The rest is appearance: ``gain`` (B, 3) RGB,
    ``bias`` in grey levels, ``saturation``, ``blur_px``, ``noise`` (standard deviation in grey
    levels), ``hole_xyxy`` in input px with its ``hole_rgb``, ``noise_seeds``.
    """

    input_hw: tuple[int, int]
    people: NDArray[np.int64]
    matrices: Floats
    windows_xyxy: Floats
    heatmap_xy: Floats
    weights: Floats
    absent_weights: Floats
    gain: Floats
    bias: Floats
    saturation: Floats
    blur_px: Floats
    noise: Floats
    hole_xyxy: Floats
    hole_rgb: Floats
    noise_seeds: NDArray[np.int64]

    def rows(self, which: slice) -> "Plan":
        """Some of the crops."""
        columns = (getattr(self, entry.name)[which] for entry in fields(self)[1:])
        return Plan(self.input_hw, *columns)


class _Draws:
    """Random columns for B rows, taken one after the other; each row depends on itself alone."""

    def __init__(self, seed: int, step: int, rows: int) -> None:
        uniform, normal, noise = (
            np.random.Generator(np.random.Philox([seed, step, stream])) for stream in (1, 2, 3)
        )
        self._uniform = iter(uniform.random((rows, _COLUMNS)).T)
        self._normal = iter(normal.standard_normal((rows, _COLUMNS)).T)
        self.noise_seeds = noise.integers(0, 2**62, rows)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Floats:
        return np.asarray(low + (high - low) * next(self._uniform))

    def normal(self, scale: float = 1.0) -> Floats:
        return np.asarray(scale * next(self._normal))

    def chance(self, share: float) -> Flags:
        return np.asarray(self.uniform() < share)

    def three(self, low: float, high: float) -> Floats:
        return np.stack([self.uniform(low, high) for _ in range(3)], axis=1)


class Planner:
    """Draws plans for the people of a training."""

    def __init__(self, people: People, skeleton: Skeleton, augment: Augment, seed: int) -> None:
        self.people, self.augment, self.seed = people, augment, seed
        self._mirror = np.array(skeleton.flip_permutation)
        self._shoulders, self._hips, self._lower = (
            np.array([name.endswith(parts) for name in skeleton.keypoints])
            for parts in ("shoulder", "hip", ("hip", "knee", "ankle"))
        )

    def draw(
        self, rows: NDArray[np.int64], step: int, curriculum: float, geometry: CropGeometry
    ) -> Plan:
        """The plan of one batch: the people ``rows``, (B,), at this step and input size."""
        draws, augment = _Draws(self.seed, step, len(rows)), self.augment
        xy, weights = self.people.xy[rows], self.people.weights[rows]
        boxes, windows = self.people.boxes_xyxy[rows], self.people.windows_xyxy[rows]
        kind, known = draws.uniform(), weights > 0
        boxes_cut, windows_cut, webcam = self._webcam(draws, boxes, xy, known, windows)
        webcam &= kind < augment.webcam
        boxes_half, half = self._half_body(draws, boxes, xy, known)
        half &= kind >= augment.webcam
        half &= kind < augment.webcam + augment.half_body * curriculum
        boxes = np.where(webcam[:, None], boxes_cut, boxes)
        boxes = np.where(half[:, None], boxes_half, boxes)
        windows = np.where(webcam[:, None], windows_cut, windows)
        flip = draws.chance(augment.flipped)
        boxes = self._shake(draws, boxes, curriculum)
        spread_deg = augment.rotation_deg * curriculum
        turn_deg = np.clip(draws.normal(spread_deg), -2 * spread_deg, 2 * spread_deg)
        turn_deg = np.where(draws.chance(augment.rotated), turn_deg, 0.0)
        turn_deg *= np.where(webcam, augment.webcam_rotation, 1.0)
        matrices = _turned(geometry, boxes, turn_deg, flip)
        heatmap_xy = _input_to_heatmap(geometry, transform(matrices, xy))
        height, width = heatmap_hw(geometry.input_hw)
        frame = np.tile([-0.5, -0.5, width - 0.5, height - 0.5], (len(rows), 1))
        seen = _inside(xy, windows) & _inside(heatmap_xy, frame)
        absent = np.where(known & ~seen, augment.absent_weight, 0.0)
        labels = heatmap_xy, np.where(seen, weights, 0.0), absent
        for values in labels:  # left and right exchanged in the rows that are mirrored
            values[flip] = values[flip][:, self._mirror]
        appearance = self._appearance(draws, curriculum, geometry.input_hw)
        return Plan(geometry.input_hw, rows, matrices, windows, *labels, *appearance)

    def _webcam(
        self, draws: _Draws, boxes: Floats, xy: Floats, known: Flags, windows: Floats
    ) -> tuple[Floats, Floats, Flags]:
        """Boxes and windows that end below the chest, and where that can be done, (B,)."""
        top, height, width = boxes[:, 1], boxes[:, 3] - boxes[:, 1], boxes[:, 2] - boxes[:, 0]
        cut = top + height * draws.uniform(0.3, 0.8)
        shoulder, has_shoulder = _mean_y(xy, known, self._shoulders)
        hip, has_hip = _mean_y(xy, known, self._hips)
        torso = np.where(has_shoulder & has_hip, hip - shoulder, 0.0)
        by_torso = draws.chance(0.7) & (torso > MIN_TORSO_PX)
        cut = np.where(by_torso, shoulder + torso * draws.uniform(0.4, 1.6), cut)
        left_in = known & (xy[..., 1] <= cut[:, None])
        possible = (height > MIN_CUT_BOX_PX) & (cut > top + MIN_CUT_PX) & (left_in.sum(axis=1) >= 3)
        low, high = _bounds(xy, left_in)
        boxes_cut, windows_cut = boxes.copy(), windows.copy()
        boxes_cut[:, 0] = np.maximum(boxes[:, 0], low[:, 0] - 0.15 * width)
        boxes_cut[:, 2] = np.minimum(boxes[:, 2], high[:, 0] + 0.15 * width + 1)
        boxes_cut[:, 3] = np.minimum(boxes[:, 3], cut)
        windows_cut[:, 3] = np.minimum(windows[:, 3], np.floor(cut) - 0.5)
        return boxes_cut, windows_cut, possible

    def _half_body(
        self, draws: _Draws, boxes: Floats, xy: Floats, known: Flags
    ) -> tuple[Floats, Flags]:
        """Boxes around the upper or the lower body, and where that can be done, (B,)."""
        upper = draws.chance(0.6)
        chosen = known & (self._lower[None, :] != upper[:, None])
        possible = (known.sum(axis=1) >= HALF_BODY_FROM) & (chosen.sum(axis=1) >= 3)
        low, high = _bounds(xy, chosen)
        grow = 0.2 * (high - low)
        return np.hstack([low - grow, high + grow]), possible

    def _shake(self, draws: _Draws, boxes: Floats, curriculum: float) -> Floats:
        """Boxes as a detector and a tracker give them: edges off, too large or too small."""
        augment = self.augment
        spread = draws.normal(augment.scale * (0.5 + 0.5 * curriculum))
        factor = np.clip(1 + spread, 1 - augment.scale, 1 + augment.scale)
        side = np.maximum(boxes[:, 2:] - boxes[:, :2], 8.0)
        shaken = np.stack([draws.normal(augment.edge_shake) for _ in range(4)], axis=1)
        edges = boxes + shaken * np.tile(side, 2)
        centre = (edges[:, :2] + edges[:, 2:]) / 2
        half = np.maximum(edges[:, 2:] - edges[:, :2], 4.0) / 2 * factor[:, None]
        return np.concatenate([centre - half, centre + half], axis=1)

    def _appearance(
        self, draws: _Draws, curriculum: float, input_hw: tuple[int, int]
    ) -> tuple[NDArray[Any], ...]:
        """The columns of a plan from ``gain`` on."""
        augment, (height, width) = self.augment, input_hw
        coloured, greyed = draws.chance(augment.colour), draws.chance(augment.grey)
        tint = draws.three(0.9, 1.1)
        gain = np.where(coloured[:, None], draws.uniform(0.7, 1.3)[:, None] * tint, 1.0)
        bias = np.where(coloured, draws.uniform(-20, 20), 0.0)
        saturation = np.where(greyed, draws.uniform(), 1.0)
        blur_px = np.where(draws.chance(augment.blur), draws.uniform(0.4, 1.0), 0.0)
        noise = np.where(draws.chance(augment.noise), draws.uniform(2, 12), 0.0)
        hidden = draws.chance(augment.occlusion * curriculum)
        wide, high = width * draws.uniform(0.1, 0.35), height * draws.uniform(0.1, 0.35)
        left, top = (width - wide) * draws.uniform(), (height - high) * draws.uniform()
        hole = np.stack([left, top, left + wide, top + high], axis=1)
        hole = np.where(hidden[:, None], hole, 0.0)
        rgb, seeds = draws.three(0, 255), draws.noise_seeds
        return gain, bias, saturation, blur_px, noise, hole, rgb, seeds


def _mean_y(xy: Floats, known: Flags, joints: Flags) -> tuple[Floats, Flags]:
    """Mean row of the known ones of these joints, and whether there is one, (B,) each."""
    here = known[:, joints]
    count = here.sum(axis=1)
    total = np.where(here, xy[:, joints, 1], 0.0).sum(axis=1)
    return total / np.maximum(count, 1), count > 0


def _bounds(xy: Floats, chosen: Flags) -> tuple[Floats, Floats]:
    """Smallest and largest of the chosen points (B, K, 2), (B, 2) each; 0 where none is chosen."""
    none = ~chosen.any(axis=1)
    low = np.where(chosen[..., None], xy, np.inf).min(axis=1)
    high = np.where(chosen[..., None], xy, -np.inf).max(axis=1)
    low[none] = high[none] = 0.0
    return low, high


def _inside(xy: Floats, frames_xyxy: Floats) -> Flags:
    """Whether points (B, K, 2) lie in frames (B, 4), (B, K)."""
    low, high = frames_xyxy[:, None, :2], frames_xyxy[:, None, 2:]
    return np.asarray(((xy > low) & (xy < high)).all(axis=2))
