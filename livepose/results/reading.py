"""JSON Lines read back into arrays and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livepose.errors import DataError
from livepose.poses import KeypointState, Poses
from livepose.results.angles import STILLS, AngleMeter, Angles
from livepose.results.tables import Array, Table, angle_table, keypoint_table
from livepose.sinks.jsonl import FORMAT_VERSION, read_lines
from livepose.skeletons import SHIPPED, SKELETONS, Skeleton

_ADVICE = "livepose SOURCE --json FILE makes such a file"
_STATES = {state.word: int(state) for state in KeypointState}
_WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a value of another kind than expected raises."""


@dataclass(frozen=True)
class Results:
    """Everybody in every frame of one file, N people in all frames together.

    Attributes
    ----------
    header : mapping
        The file's first line.
    skeleton : Skeleton
    frame, time_s, name : (N,)
        Number, time and image of the frame that each person is in.
    poses : Poses
        Those people, P = N; ``poses.track_ids`` says who they are.
    """

    header: Mapping[str, Any]
    skeleton: Skeleton
    frame: NDArray[np.int64]
    time_s: NDArray[np.float64]
    name: Array
    poses: Poses = field(repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> list[int]:
        """Everybody who was followed, whom there is most of first."""
        known, counts = np.unique(self.poses.track_ids, return_counts=True)
        order = known[np.lexsort((known, -counts))].tolist()
        return [one for one in order if one > 0 and self.is_tracked]

    @property
    def is_tracked(self) -> bool:
        """Whether ids say who somebody is; in still images they only count people."""
        return self.header.get("kind") != STILLS

    def keypoints(self) -> Table:
        """One row a keypoint of a person of a frame, with the columns of ``--csv``."""
        return keypoint_table((self.frame, self.time_s, self.name), self.poses)

    def angles(self) -> Table:
        """One row an angle of a person of a frame, with the columns of the angles' CSV.

        They are measured anew from keypoints and covariances.
        """
        aspect = float(self.header.get("pixel_aspect") or 1.0)
        square = self.poses.in_source_pixels((1.0 / aspect, 1.0))
        meter = AngleMeter()
        _, starts = np.unique(self.frame, return_index=True)
        groups = np.split(np.arange(len(self)), starts[1:])
        measured = [meter(square.select(rows), tracked=self.is_tracked) for rows in groups]
        angles = Angles(
            np.concatenate([one.degrees for one in measured]),
            np.concatenate([one.sigma_deg for one in measured]),
        )
        return angle_table((self.frame, self.time_s, self.name), self.poses, angles)


def read(path: str | Path) -> Results:
    """Reads what ``--json`` wrote.

    An unfinished last line, of a run that was killed, is left out. DataError when it is not such a
    file; says where.

    Examples
    --------
    >>> results = read("out.jsonl")                                 # doctest: +SKIP
    >>> results.poses.keypoints_xy[results.poses.track_ids == 1]    # doctest: +SKIP
    >>> pandas.DataFrame(results.angles())                          # doctest: +SKIP
    """
    path = Path(path)
    lines = read_lines(path, "what --json writes", _ADVICE)
    header = next(lines, None)
    header = header.get("livepose") if isinstance(header, dict) else None
    if not isinstance(header, dict):
        raise DataError(f"{path} does not begin with the header that --json writes; {_ADVICE}")
    if header.get("format") != FORMAT_VERSION:
        raise DataError(
            f"{path} has format {header.get('format')!r}; this livepose reads {FORMAT_VERSION}: "
            "update it"
        )
    places: list[tuple[int, float, str]] = []
    people: list[Mapping[str, Any]] = []
    said = "its header does not say what the keypoints are"
    try:
        skeleton = _skeleton(header["skeleton"])
        for number, record in enumerate(lines, start=2):
            said = f"line {number}: expected a frame as --json writes it"
            if "frame" in record:
                place = int(record["frame"]), float(record["time_s"]), str(record.get("name", ""))
                places += [place] * len(record["people"])
                people += record["people"]
        said = "somebody in it is not in the form of --json"
        poses = _poses(people, skeleton)
    except _WRONG as error:
        raise DataError(f"{path}, {said}: {error!r}") from error
    frame, time_s, name = (np.array([place[at] for place in places]) for at in range(3))
    return Results(header, skeleton, frame.astype(np.int64), time_s.astype(float), name, poses)


def _skeleton(said: Any) -> Skeleton:
    name, keypoints = str(said["name"]), tuple(map(str, said["keypoints"]))
    limbs = tuple((int(first), int(last)) for first, last in said["limbs"])
    known = SKELETONS[name] if name in (*SHIPPED, *SKELETONS) else None
    return known if known and known.keypoints == keypoints else Skeleton(name, keypoints, limbs, ())


def _poses(people: Sequence[Mapping[str, Any]], skeleton: Skeleton) -> Poses:
    """Those of all frames as one; P = 0 for nobody."""
    if not people:
        return Poses.empty(skeleton)
    joints = len(skeleton.keypoints)
    fields = 4 if "states" in people[0] else 3  # slim frames have neither sigma nor covariance
    nothing, unknown = [None, None, 0.0, None][:fields], [None] * 3
    points = [[one or nothing for one in person["keypoints"]] for person in people]
    spreads = [person.get("covariance_px2", [None] * joints) for person in people]
    states = [[_STATES[word] for word in one["states"]] for one in people if "states" in one]
    numbers = _numbers(points, (joints, fields))
    spread = _numbers([[one or unknown for one in each] for each in spreads], (joints, 3))
    return Poses(
        keypoints_xy=numbers[..., :2],
        keypoint_scores=numbers[..., 2],
        boxes_xyxy=_numbers([one["box_xyxy"] for one in people], (4,)),
        scores=_numbers([one["score"] for one in people], ()),
        track_ids=np.array([one["id"] for one in people], dtype=np.int64),
        covariance_px2=spread[..., [0, 1, 1, 2]].reshape(-1, joints, 2, 2),
        skeleton=skeleton,
        keypoint_states=np.array(states, dtype=np.uint8),
    )


def _numbers(values: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Floats with NaN for null, of that shape behind the first axis."""
    found = np.array(values, dtype=np.float64)
    if found.shape[1:] != shape:
        raise ValueError(f"expected {shape} numbers, got {found.shape[1:]}")
    return found
