"""The pack: every person of any number of sets as one small image, in one small file.

For a machine that is rented by the minute: crops around the boxes as compressed bytes with their
labels, already merged and weighted. One safetensors file, read without unpickling.
"""

import hashlib
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from livepose.errors import DataError, UsageError
from livepose.evaluation.archive import is_hostile
from livepose.evaluation.dataset import Problems
from livepose.frame import ImageBgr
from livepose.skeletons import SKELETONS
from livepose.training.crops import CONTEXT
from livepose.training.data import People, decoded, load_images
from livepose.training.settings import PackSettings

logger = logging.getLogger(__name__)

FORMAT = "livepose-pack-1"
QUALITIES = (92, 88, 84, 80, 75, 70, 65, 60, 50, 40)
SAMPLED = 200
ASPECT = 0.75  # width over height of the network input
PART_BYTES = 15_000_000
MANIFEST = "parts.json"
TENSORS = ("bytes", "ends", "sizes_wh", "boxes_xyxy", "xy", "weights", "draw_weights")

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class _CropWindows:
    """Where N small images come from: whole pixels of the images (N, 4), and their sizes."""

    xyxy: Indices
    sizes_wh: Indices

    @classmethod
    def around(cls, people: People, side_px: int) -> "_CropWindows":
        """The squares around the boxes, cut at the edges of the images."""
        boxes = people.boxes_xyxy
        wh = boxes[:, 2:] - boxes[:, :2]
        side = CONTEXT * np.maximum(wh[:, :1] / ASPECT, wh[:, 1:])
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        low = np.floor(np.maximum(centre - side / 2, 0))
        high = np.minimum(np.ceil(centre + side / 2), people.windows_xyxy[:, 2:] + 0.5)
        high = np.maximum(high, low + 1)
        small = np.maximum(1, np.rint((high - low) * np.minimum(1.0, side_px / side)))
        return cls(np.hstack([low, high]).astype(np.int64), small.astype(np.int64))

    def crop(self, row: int, image: ImageBgr) -> ImageBgr:
        """A small image, scaled by area averaging."""
        left, top, right, bottom = self.xyxy[row]
        size_wh = int(self.sizes_wh[row, 0]), int(self.sizes_wh[row, 1])
        part = image[top:bottom, left:right]
        if part.shape[1::-1] == size_wh:
            return part
        return np.asarray(cv2.resize(part, size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def moved(self, xy: Floats) -> Floats:
        """Image px (N, K, 2), integers at pixel centres, to px of the small images."""
        span = (self.xyxy[:, 2:] - self.xyxy[:, :2]).astype(np.float64)
        scale = (self.sizes_wh / span)[:, None]
        return np.asarray((xy - self.xyxy[:, None, :2] + 0.5) * scale - 0.5)


def write_pack(people: People, how: PackSettings) -> int:
    """Write a pack of at most ``how.max_mb``; returns its size in bytes.

    UsageError when even the lowest quality does not fit.
    """
    output, windows = how.output, _CropWindows.around(people, how.side_px)
    # Edges lie half a pixel before the centres that points are measured from.
    boxes = windows.moved(people.boxes_xyxy.reshape(-1, 2, 2) - 0.5) + 0.5
    labels: dict[str, NDArray[Any]] = {
        "sizes_wh": windows.sizes_wh.astype(np.int32),
        "boxes_xyxy": boxes.reshape(-1, 4).astype(np.float32),
        "xy": windows.moved(people.xy).astype(np.float32),
        "weights": people.weights.astype(np.float32),
        "draw_weights": people.draw_weights.astype(np.float32),
    }
    room = how.max_mb * 1e6 - sum(array.nbytes for array in labels.values()) - 4096
    encoded = _encode_within(people, windows, room, how)
    ends = np.cumsum([len(content) for content in encoded], dtype=np.int64)
    tensors = labels | {"ends": ends, "bytes": np.frombuffer(b"".join(encoded), np.uint8)}
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f"{output.name}.draft")
    save_file(tensors, draft, metadata={"format": FORMAT, "skeleton": SKELETONS[how.skeleton].name})
    draft.replace(output)
    logger.info(f"{output}: {len(people)} people, {output.stat().st_size / 1e6:.1f} MB")
    return output.stat().st_size


def _encode_within(
    people: People, windows: _CropWindows, room: float, how: PackSettings
) -> list[bytes]:
    """Encoded images of the highest quality that fits into ``room`` bytes."""

    def encode(rows: Indices, quality: int) -> list[bytes]:
        def one(row: int) -> bytes:
            image = windows.crop(row, people.image_bgr(row))
            done, buffer = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])
            if not done:
                raise DataError(f"person {row}: the crop cannot be encoded as WebP")
            return bytes(buffer.tobytes())

        with ThreadPoolExecutor(how.workers) as pool:
            return list(pool.map(one, rows.tolist()))

    sample = np.unique(np.linspace(0, len(people) - 1, SAMPLED).round().astype(np.int64))
    for quality in QUALITIES:
        share = sum(map(len, encode(sample, quality))) / len(sample)
        if share * len(people) > room:
            continue
        encoded = encode(np.arange(len(people)), quality)
        if sum(map(len, encoded)) <= room:
            logger.info(f"packed as WebP of quality {quality}")
            return encoded
    raise UsageError(
        f"--max-mb {how.max_mb:g} is too little for {len(people)} people of {how.side_px} px: give "
        "more, or a smaller --side-px"
    )


def read_pack(path: Path, skeleton: str, problems: Problems, workers: int = 2) -> People:
    """The people of a pack, their images loaded.

    DataError when the file is no pack, is cut short, or was made for another skeleton.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stored = set(file.keys())
            tensors = {name: file.get_tensor(name) for name in TENSORS if name in stored}
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: expected a pack, got: {error}") from error
    if metadata.get("format") != FORMAT or len(tensors) != len(TENSORS):
        raise DataError(f"{path}: expected a pack of format {FORMAT}")
    if metadata.get("skeleton") != skeleton:
        raise DataError(f"{path}: made for {metadata.get('skeleton')}, expected {skeleton}")
    joints = len(SKELETONS[skeleton].keypoints)
    ends, content = tensors["ends"].ravel().astype(np.int64), tensors["bytes"].tobytes()
    if not len(ends) or ends[-1] != len(content) or (np.diff(ends) < 0).any():
        raise DataError(f"{path}: the pack is damaged: its images do not add up")
    shapes = ((), (2,), (4,), (joints, 2), (joints,), ())
    for name, of_each in zip(TENSORS[1:], shapes, strict=True):
        wanted, got = (len(ends), *of_each), tensors[name].shape
        if got != wanted:
            raise DataError(f"{path}: {name}: expected the shape {wanted}, got {got}")
    sizes, starts = tensors["sizes_wh"].tolist(), [0, *ends.tolist()]

    def load(row: int) -> ImageBgr:
        return decoded(content[starts[row] : starts[row + 1]], tuple(sizes[row]))

    names = [f"{path}, person {row}" for row in range(len(ends))]
    images = load_images(load, names, problems, workers)
    floats = (tensors[name].astype(np.float64) for name in TENSORS[3:])
    people = People(images, np.arange(len(ends)), *floats)
    return people.select(np.array([image is not None for image in images], dtype=bool))


def split_file(file: Path, folder: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Write ``file`` as parts of at most ``part_bytes`` with a list of their hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    content, parts = file.read_bytes(), []
    manifest: dict[str, Any] = {"name": file.name, "sha256": _sha256(content), "parts": []}
    for number, start in enumerate(range(0, len(content), part_bytes)):
        part, chunk = folder / f"{file.name}.{number:02d}", content[start : start + part_bytes]
        part.write_bytes(chunk)
        parts.append(part)
        manifest["parts"].append({"name": part.name, "sha256": _sha256(chunk)})
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    return parts


def join_parts(folder: Path, output: Path | None = None) -> Path:
    """Put the parts in ``folder`` together, each of them and the whole verified.

    DataError when a part is missing or not what it was; nothing is written then.
    """
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        hashes = {entry["name"]: entry.get("sha256") for entry in manifest["parts"]}
        names, whole = [manifest["name"], *hashes], str(manifest["sha256"])
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file}: expected the list of parts, got: {error!r}") from error
    if any(not isinstance(name, str) or is_hostile(name) or "/" in name for name in names):
        raise DataError(f"{file}: expected plain file names, got {names}")
    content = b"".join(_part(folder / name, hashes[name]) for name in names[1:])
    if _sha256(content) != whole:
        raise DataError(f"{folder}: every part is whole, but together they are not the file")
    target = output or folder / names[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.draft")
    draft.write_bytes(content)
    draft.replace(target)
    return target


def _part(file: Path, sha256: object) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: this part is missing; fetch it again") from error
    if _sha256(content) != sha256:
        raise DataError(f"{file}: this part is not what it was (SHA-256); fetch it again")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
