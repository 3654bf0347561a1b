"""What is carried to a machine without network and back: packs of people, and parts of weights.

A pack holds every person of any number of sets as one small image: squares around the boxes as
compressed bytes with their labels, already merged and weighted. One safetensors file, read without
unpickling. Parts are a file in pieces, with a list of hashes that ``sha256sum -c`` reads too.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from livepose.errors import DataError, UsageError
from livepose.evaluation.archive import decode, is_hostile
from livepose.sinks.files import write_output
from livepose.skeletons import SKELETONS, Skeleton
from livepose.training.crops import render_crops, square_matrices
from livepose.training.data import People, SetSpec
from livepose.training.plan import transform
from livepose.training.settings import PackSettings

logger = logging.getLogger(__name__)

FORMAT = "livepose-pack-2"
QUALITY_STEP = 8
SIZES_HW = [(128, 96)]
"""Of inputs that squares are wide enough for: those of this shape or wider."""
PART_BYTES, LIST = 15_000_000, "parts.sha256"
TENSORS = ("bytes", "ends", "boxes_xyxy", "xy", "weights", "draw_weights")


def write_pack(people: People, how: PackSettings) -> int:
    """Write a pack; returns its size in bytes. UsageError when it does not fit into ``max_mb``."""
    boxes, output = people.boxes_xyxy, how.output
    spans_px = 1 / square_matrices(boxes, SIZES_HW, 1)[:, 0, 0]
    sides = np.clip(np.rint(spans_px), 1, how.side_px).astype(int)  # never larger than the image
    matrices = square_matrices(boxes, SIZES_HW, sides)

    def encode(row: int, quality: int) -> bytes:
        rows, hw = np.array([row]), (int(sides[row]), int(sides[row]))
        [square] = render_crops(people, rows, people.windows_xyxy[rows], matrices[rows], hw)
        done, buffer = cv2.imencode(".webp", square, [cv2.IMWRITE_WEBP_QUALITY, quality])
        if not done:
            raise DataError(f"person {row}: the crop cannot be encoded as WebP")
        return bytes(buffer.tobytes())

    # Edges lie half a pixel before the centres that points are measured from.
    edges = transform(matrices, boxes.reshape(-1, 2, 2) - 0.5) + 0.5
    labels: dict[str, NDArray[Any]] = {
        "boxes_xyxy": edges.reshape(-1, 4).astype(np.float32),
        "xy": transform(matrices, people.xy).astype(np.float32),
        "weights": people.weights.astype(np.float32),
        "draw_weights": people.draw_weights.astype(np.float32),
    }
    told = {"format": FORMAT, "skeleton": SKELETONS[how.skeleton].name}
    for quality in range(how.quality, 0, -QUALITY_STEP):
        with ThreadPoolExecutor(how.workers) as pool:
            encoded = list(pool.map(partial(encode, quality=quality), range(len(people))))
        images: dict[str, NDArray[Any]] = {
            "bytes": np.frombuffer(b"".join(encoded), np.uint8),
            "ends": np.cumsum([len(content) for content in encoded], dtype=np.int64),
        }
        content = save(images | labels, told)
        if len(content) <= how.max_mb * 1e6:
            break
        logger.info(f"quality {quality} takes {len(content) / 1e6:.1f} MB")
    else:
        raise UsageError(
            f"--max-mb {how.max_mb:g} is too little for {len(people)} people of {how.side_px} px: "
            "give more, or a smaller --side-px"
        )
    write_output(output, content)
    megabytes = len(content) / 1e6
    logger.info(f"{output}: {len(people)} people, quality {quality}, {megabytes:.1f} MB")
    return len(content)


def read_pack(spec: SetSpec, skeleton: Skeleton) -> People:
    """The people of a pack, their images loaded.

    DataError when the file is no pack, is damaged, or was made for another skeleton.
    """
    path = spec.annotations
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stored = set(file.keys())
            tensors = {name: file.get_tensor(name) for name in TENSORS if name in stored}
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: expected a pack, got: {error}") from error
    if metadata.get("format") != FORMAT or len(tensors) != len(TENSORS):
        raise DataError(f"{path}: expected a pack of format {FORMAT}")
    if metadata.get("skeleton") != skeleton.name:
        raise DataError(f"{path}: made for {metadata.get('skeleton')}, expected {skeleton.name}")
    joints = len(skeleton.keypoints)
    ends, content = tensors["ends"].ravel().astype(np.int64), tensors["bytes"].tobytes()
    if not len(ends) or ends[-1] != len(content) or (np.diff(ends, prepend=0) < 0).any():
        raise DataError(f"{path}: the pack is damaged: its images do not add up")
    shapes = ((), (4,), (joints, 2), (joints,), ())
    for name, of_each in zip(TENSORS[1:], shapes, strict=True):
        wanted, got = (len(ends), *of_each), tensors[name].shape
        if got != wanted:
            raise DataError(f"{path}: {name}: expected the shape {wanted}, got {got}")
    parts = [content[start:end] for start, end in pairwise([0, *ends.tolist()])]
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(decode, parts))
    if any(image is None for image in images):
        raise DataError(f"{path}: the pack is damaged: an image cannot be read")
    boxes, xy, weights, draws = (tensors[name].astype(np.float64) for name in TENSORS[2:])
    return People(images, np.arange(len(ends)), boxes, xy, weights, draws * spec.weight)


def split_file(file: Path, folder: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Write a file as parts, and a list of the hashes: of the whole first, then of each part."""
    folder.mkdir(parents=True, exist_ok=True)
    content, parts = file.read_bytes(), []
    lines = [f"{sha256(content).hexdigest()}  {file.name}\n"]
    for number, start in enumerate(range(0, len(content), part_bytes)):
        part = content[start : start + part_bytes]
        parts.append(folder / f"{file.name}.{number:02d}")
        parts[-1].write_bytes(part)
        lines.append(f"{sha256(part).hexdigest()}  {parts[-1].name}\n")
    (folder / LIST).write_text("".join(lines), encoding="utf-8")
    return parts


def join_parts(folder: Path, output: Path | None = None) -> Path:
    """Put parts together, each of them and the whole verified.

    DataError when a part is missing or not what it was; nothing is written then.
    """
    listed = folder / LIST
    try:
        lines = listed.read_text(encoding="utf-8").splitlines()
        (whole, name), *parts = [line.split("  ", 1) for line in lines]
        if any("/" in one or is_hostile(one) for one in (name, *(one for _, one in parts))):
            raise ValueError("a name that leads out of the folder")
    except (OSError, ValueError) as error:
        raise DataError(f"{listed}: expected a list of parts, got: {error}") from error
    content = b"".join(_verified(folder / one, wanted) for wanted, one in parts)
    if sha256(content).hexdigest() != whole:
        raise DataError(f"{folder}: every part is whole, but together they are not {name}")
    target = output or folder / name
    write_output(target, content)
    return target


def _verified(part: Path, wanted: str) -> bytes:
    try:
        content = part.read_bytes()
    except OSError as error:
        raise DataError(f"{part}: this part is missing; fetch it again") from error
    if sha256(content).hexdigest() != wanted:
        raise DataError(f"{part}: this part is not what it was (SHA-256); fetch it again")
    return content
