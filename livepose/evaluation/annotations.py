"""Annotations in COCO's keypoint form, checked before anything is measured."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.skeletons import COCO17, Skeleton

PERSON_FIELDS = ("image_id", "bbox", "area", "keypoints")


@dataclass(frozen=True)
class Picture:
    """One picture of a set."""

    id: int
    file_name: str
    size_wh: tuple[int, int] | None = None


@dataclass(frozen=True)
class Annotations:
    """A set of pictures and its annotated people, as COCO's own form has them.

    ``document`` is what pycocotools takes. ``people`` are the annotations with keypoints that are
    not crowds, grouped by picture in the order of ``pictures``.
    """

    document: Mapping[str, Any]
    pictures: tuple[Picture, ...]
    people: tuple[Mapping[str, Any], ...]

    @property
    def image_ids(self) -> list[int]:
        """Ids of the pictures."""
        return [picture.id for picture in self.pictures]

    @property
    def file_names(self) -> list[str]:
        """Names of the pictures' files."""
        return [picture.file_name for picture in self.pictures]

    def people_of(self, image_id: int) -> list[Mapping[str, Any]]:
        """The people with keypoints of one picture."""
        return self._people_by_picture.get(image_id, [])

    @cached_property
    def _people_by_picture(self) -> dict[int, list[Mapping[str, Any]]]:
        return by_picture(self.people)

    def keypoints(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Positions (P, K, 2) in px, NaN where not labelled, and what is labelled (P, K)."""
        rows = np.array([person["keypoints"] for person in self.people], dtype=np.float64)
        rows = rows.reshape(len(self.people), -1, 3)
        labelled = rows[..., 2] > 0
        return np.where(labelled[..., None], rows[..., :2], np.nan), labelled


def by_picture(entries: Iterable[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """Entries with an ``image_id``, grouped by it, in their order."""
    grouped: dict[int, list[Mapping[str, Any]]] = {}
    for one in entries:
        grouped.setdefault(one["image_id"], []).append(one)
    return grouped


def read_json(path: Path, what: str) -> Any:
    """The document in a JSON file; DataError with ``what`` it should have been."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{what} {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{what} {path} is not JSON: {error}") from error


def load_annotations(
    path: Path, limit: int | None = None, skeleton: Skeleton = COCO17
) -> Annotations:
    """Reads ``person_keypoints_*.json``, at most ``limit`` pictures of it.

    Raises
    ------
    DataError
        When the file is missing or not in COCO's form, names pictures that it does not list,
        has no keypoints, or holds nobody.
    """
    document = read_json(path, "annotation file")
    if not isinstance(document, dict) or not {"images", "annotations"} <= document.keys():
        raise DataError(
            f"{path} is not in COCO's form: expected the entries images and annotations"
        )
    return checked_annotations(document, str(path), limit, skeleton)


def checked_annotations(
    document: Mapping[str, Any], name: str, limit: int | None, skeleton: Skeleton
) -> Annotations:
    """The same for a document that is already in memory; ``name`` stands in messages."""
    if not document["images"]:
        raise DataError(f"{name} lists no pictures: there is nothing to score")
    listed = {image["id"] for image in document["images"]}
    _check_ids(document["annotations"], listed, name)
    if not any("keypoints" in person for person in document["annotations"]):
        raise DataError(
            f"{name} has {len(document['annotations'])} annotations and none has keypoints;"
            " COCO's are in person_keypoints_*.json, not in instances_*.json"
        )
    pictures = tuple(_picture(image) for image in document["images"][:limit])
    order = {picture.id: place for place, picture in enumerate(pictures)}
    whole = [_person(one, skeleton, name) for one in document["annotations"]]
    chosen = [person for person in whole if person["image_id"] in order]
    people = [person for person in chosen if person["num_keypoints"] and not person["iscrowd"]]
    if not people:
        raise DataError(f"{name}: nobody in {len(pictures)} picture(s) has labelled keypoints")
    people.sort(key=lambda person: order[person["image_id"]])
    kept = {
        **document,
        "images": list(document["images"][:limit]),
        "annotations": chosen,
        "categories": document.get("categories") or [{"id": 1, "name": "person"}],
    }
    return Annotations(kept, pictures, tuple(people))


def _check_ids(people: Sequence[Mapping[str, Any]], listed: set[int], name: str) -> None:
    strangers = [one.get("image_id") for one in people if one.get("image_id") not in listed]
    if strangers:
        raise DataError(
            f"{name}: {len(strangers)} annotation(s) belong to pictures that are not listed"
            f" (first: image_id {strangers[0]})"
        )


def _picture(image: Mapping[str, Any]) -> Picture:
    size = (int(image["width"]), int(image["height"])) if "width" in image else None
    return Picture(int(image["id"]), str(image["file_name"]), size)


def _person(person: Mapping[str, Any], skeleton: Skeleton, name: str) -> dict[str, Any]:
    numbers = len(skeleton.keypoints) * 3
    filled = {"keypoints": [0] * numbers, "iscrowd": 0, "category_id": 1, **person}
    missing = [field for field in PERSON_FIELDS if field not in filled]
    if missing or len(filled["keypoints"]) != numbers:
        raise DataError(
            f"{name}: annotation {person.get('id')} of picture {person.get('image_id')}: expected"
            f" {', '.join(PERSON_FIELDS)} with {numbers} keypoint numbers, got"
            f" {len(filled['keypoints'])} numbers and no {', '.join(missing) or 'gap'}"
        )
    filled["num_keypoints"] = sum(1 for flag in filled["keypoints"][2::3] if flag > 0)
    return filled
