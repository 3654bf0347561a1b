"""The pack: every person of any number of sets as one small picture, in one small file.

For a machine that is rented by the minute: crops around the boxes as compressed bytes with their
labels, already merged and weighted. One safetensors file, read without unpickling.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from livepose.errors import DataError, UsageError
from livepose.frame import ImageBgr
from livepose.training.people import People
from livepose.training.pictures import Pictures, PictureSource
from livepose.training.problems import Problems

logger = logging.getLogger(__name__)

FORMAT = "livepose-pack-1"
QUALITIES = (92, 88, 84, 80, 75, 70, 65, 60, 50, 40)
SAMPLED = 200
ENCODINGS = {
    "webp": (".webp", cv2.IMWRITE_WEBP_QUALITY),
    "jpeg": (".jpg", cv2.IMWRITE_JPEG_QUALITY),
}
TENSORS = ("bytes", "ends", "sizes_wh", "boxes_xyxy", "xy", "weights", "draw_weights")


@dataclass(frozen=True)
class PackSettings:
    """How a pack is made."""

    max_mb: float = 60.0  # of the whole file, 10**6 bytes each
    side_px: int = 192  # of the square around a person; smaller where the picture is
    context: float = 1.7  # side of that square over the longer side of the fitted box
    encoding: str = "webp"
    aspect: float = 0.75  # width over height of the network input
    workers: int = 2


@dataclass(frozen=True)
class Cut:
    """Where one person's small picture comes from: whole pixels of the picture, and its scale."""

    left: int
    top: int
    right: int
    bottom: int
    size_wh: tuple[int, int]


def plan_cut(box_xyxy: NDArray[np.float64], size_wh: tuple[int, int], how: PackSettings) -> Cut:
    """The square around a box, cut at the picture's edges."""
    wide, high = box_xyxy[2:] - box_xyxy[:2]
    side = how.context * max(float(wide) / how.aspect, float(high))
    centre = (box_xyxy[:2] + box_xyxy[2:]) / 2
    low, high_edge = np.floor(centre - side / 2), np.ceil(centre + side / 2)
    left, top = (int(max(0, edge)) for edge in low)
    right, bottom = (int(min(limit, edge)) for limit, edge in zip(size_wh, high_edge, strict=True))
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    scale = min(1.0, how.side_px / side)
    wide_px, high_px = round((right - left) * scale), round((bottom - top) * scale)
    return Cut(left, top, right, bottom, (max(1, wide_px), max(1, high_px)))


def cut_picture(image: ImageBgr, cut: Cut) -> ImageBgr:
    """The small picture, scaled by area averaging."""
    part = image[cut.top : cut.bottom, cut.left : cut.right]
    if part.shape[1::-1] == cut.size_wh:
        return part
    return np.asarray(cv2.resize(part, cut.size_wh, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def moved(xy: NDArray[np.float64], cut: Cut) -> NDArray[np.float64]:
    """Picture px (..., 2), integers at pixel centres, to px of the small picture."""
    start = np.array([cut.left, cut.top], dtype=np.float64)
    span = np.array([cut.right - cut.left, cut.bottom - cut.top], dtype=np.float64)
    scale = np.array(cut.size_wh) / span
    return np.asarray((xy - start + 0.5) * scale - 0.5)


def write_pack(people: People, skeleton: str, output: Path, how: PackSettings) -> int:
    """Write a pack of at most ``how.max_mb``; returns its size in bytes.

    Raises
    ------
    UsageError
        When even the lowest quality does not fit.
    """
    cuts = [
        plan_cut(box, people.pictures.sources[picture].size_wh, how)
        for box, picture in zip(people.boxes_xyxy, people.picture, strict=True)
    ]
    labels = _labels(people, cuts)
    room = how.max_mb * 1e6 - sum(array.nbytes for array in labels.values()) - 4096
    encoded = _encode_within(people, cuts, room, how)
    ends = np.cumsum([len(content) for content in encoded], dtype=np.int64)
    tensors = labels | {"ends": ends, "bytes": np.frombuffer(b"".join(encoded), np.uint8)}
    output.parent.mkdir(parents=True, exist_ok=True)
    draft = output.with_name(f"{output.name}.draft")
    save_file(tensors, draft, metadata={"format": FORMAT, "skeleton": skeleton})
    draft.replace(output)
    logger.info(f"{output}: {len(people)} people, {output.stat().st_size / 1e6:.1f} MB")
    return output.stat().st_size


def _labels(people: People, cuts: list[Cut]) -> dict[str, NDArray[np.generic]]:
    # Edges lie half a pixel before the centres that points are measured from.
    corners = people.boxes_xyxy.reshape(-1, 2, 2) - 0.5
    boxes = np.array([moved(points, cut) for points, cut in zip(corners, cuts, strict=True)]) + 0.5
    xy = np.array([moved(points, cut) for points, cut in zip(people.xy, cuts, strict=True)])
    return {
        "sizes_wh": np.array([cut.size_wh for cut in cuts], dtype=np.int32),
        "boxes_xyxy": boxes.reshape(-1, 4).astype(np.float32),
        "xy": xy.astype(np.float32),
        "weights": people.weights.astype(np.float32),
        "draw_weights": people.draw_weights.astype(np.float32),
    }


def _encode_within(people: People, cuts: list[Cut], room: float, how: PackSettings) -> list[bytes]:
    """Encoded pictures of the highest quality that fits into ``room`` bytes."""
    every = np.arange(len(people))
    sample = np.unique(np.linspace(0, len(people) - 1, SAMPLED).round().astype(np.int64))
    for quality in QUALITIES:
        share = sum(map(len, _encode(people, cuts, sample, quality, how))) / len(sample)
        if share * len(people) > room:
            continue
        encoded = _encode(people, cuts, every, quality, how)
        if sum(map(len, encoded)) <= room:
            logger.info(f"packed as {how.encoding} of quality {quality}")
            return encoded
    raise UsageError(
        f"--max-mb {how.max_mb:g} is too little for {len(people)} people of {how.side_px} px: give "
        "more, or a smaller --side-px"
    )


def _encode(
    people: People, cuts: list[Cut], rows: NDArray[np.int64], quality: int, how: PackSettings
) -> list[bytes]:
    suffix, flag = ENCODINGS[how.encoding]

    def one(row: int) -> bytes:
        picture = people.pictures.image_bgr(int(people.picture[row]))
        done, buffer = cv2.imencode(suffix, cut_picture(picture, cuts[row]), [flag, quality])
        if not done:
            raise DataError(f"{people.names[row]}: the crop cannot be encoded as {how.encoding}")
        return bytes(buffer.tobytes())

    with ThreadPoolExecutor(how.workers) as pool:
        return list(pool.map(one, rows.tolist()))


def read_pack(
    path: Path, skeleton: str, problems: Problems, cache: str = "decoded", workers: int = 2
) -> People:
    """The people of a pack, their pictures loaded.

    Raises
    ------
    DataError
        When the file is no pack, is cut short, or was made for another skeleton.
    """
    tensors = _read_tensors(path, skeleton)
    ends = tensors["ends"]
    starts = np.concatenate([[0], ends[:-1]])
    content = tensors["bytes"].tobytes()
    if not len(ends) or ends[-1] != len(content) or (np.diff(ends) < 0).any():
        raise DataError(f"{path}: the pack is damaged: its pictures do not add up")
    rows = zip(tensors["sizes_wh"].tolist(), starts.tolist(), ends.tolist(), strict=True)
    sources = [
        PictureSource(str(path), f"person {row}", (size[0], size[1]), _slice(content, start, end))
        for row, (size, start, end) in enumerate(rows)
    ]
    pictures = Pictures(sources, cache)
    bad = pictures.load(workers)
    for row, (kind, detail) in bad.items():
        problems.add(kind, str(path), f"person {row}", detail)
    people = _people(path, pictures, tensors)
    return people.select(np.array([row not in bad for row in range(len(people))], dtype=bool))


def _slice(content: bytes, start: int, end: int) -> Callable[[], bytes]:
    return lambda: content[int(start) : int(end)]


def _read_tensors(path: Path, skeleton: str) -> dict[str, NDArray[np.generic]]:
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
    return tensors


def _people(path: Path, pictures: Pictures, tensors: dict[str, NDArray[np.generic]]) -> People:
    count = len(pictures)
    for name, tensor in tensors.items():
        if name != "bytes" and len(tensor) != count:
            raise DataError(f"{path}: {name}: expected {count} rows, got {len(tensor)}")
    sizes = tensors["sizes_wh"].astype(np.float64)
    return People(
        pictures,
        np.arange(count),
        tensors["boxes_xyxy"].astype(np.float64),
        tensors["xy"].astype(np.float64),
        tensors["weights"].astype(np.float64),
        np.concatenate([np.full((count, 2), -0.5), sizes - 0.5], axis=1),
        tensors["draw_weights"].astype(np.float64),
        tuple(f"{path}: person {row}" for row in range(count)),
    )
