"""``python -m studies.identity scenes``: cast people, make scenes, let trackers play, sum up."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from livepose.errors import DataError, SinkError
from livepose.evaluation.archive import Archive
from livepose.evaluation.dataset import load_annotations
from livepose.pipeline import PosePipeline, Settings
from studies.identity.contest import Material, Played, contest, made_material
from studies.identity.cutouts import CutOut, cut_outs
from studies.identity.networks import LEAST_SCORE, seen_material
from studies.identity.scenes import Scene
from studies.identity.walks import KINDS

logger = logging.getLogger(f"livepose.{__name__}")

CAST = 24
"""So many people at most are cut out; scenes draw from them."""
LEAST_CAST = 6
SHEET_COLUMNS = 4


@dataclass(frozen=True)
class Choice:
    """What is played."""

    images: Path
    annotations: Path
    kinds: tuple[str, ...] = tuple(KINDS)
    seeds: int = 4
    detector: str = "noise"
    """``noise`` is the noise model; else what ``--detector`` of the pipeline takes."""
    weights: str = "default"
    intervals: tuple[int | None, ...] = (1, None)
    """Frames from one detection to the next; None adapts."""


def cast(choice: Choice) -> list[CutOut]:
    """People for the scenes.

    Raises
    ------
    DataError
        When the set holds too few people who stand whole and alone.
    """
    pictures = Archive(choice.images)
    found = list(islice(cut_outs(load_annotations(choice.annotations), pictures), CAST))
    pictures.close()
    if len(found) < LEAST_CAST:
        raise DataError(
            f"{choice.annotations}: expected at least {LEAST_CAST} people who stand whole and "
            f"alone in their picture, got {len(found)}; give a larger set"
        )
    return found


def scenes(choice: Choice, people: Sequence[CutOut]) -> Iterator[Scene]:
    """Every kind with every seed."""
    for kind in choice.kinds:
        for seed in range(choice.seeds):
            yield Scene.drawn(kind, seed, people)


def run_scenes(choice: Choice, done: Callable[[int], None]) -> list[Played]:
    """Everything that was played; ``done`` is told each scene that is over."""
    people = cast(choice)
    logger.info(f"{len(people)} people cut out of {choice.annotations}")
    material = _materials(choice)
    everything: list[Played] = []
    for scene in scenes(choice, people):
        everything += contest(material(scene), choice.intervals)
        done(1)
    return everything


def _materials(choice: Choice) -> Callable[[Scene], Material]:
    if choice.detector == "noise":
        return made_material
    settings = Settings(
        weights=choice.weights, detector=choice.detector, detector_threshold=LEAST_SCORE
    )
    pipeline = PosePipeline(settings)
    return lambda scene: seen_material(scene, pipeline)


def save_sheet(choice: Choice, path: Path) -> None:
    """One row a kind: what the made scenes look like.

    Raises
    ------
    SinkError
        When the picture cannot be written.
    """
    people = cast(choice)
    rows = []
    for kind in choice.kinds:
        scene = Scene.drawn(kind, 0, people)
        moments = np.linspace(0.15, 0.75, SHEET_COLUMNS) * scene.frame_count
        rows.append(np.hstack([cv2.resize(scene.image(int(m)), (320, 180)) for m in moments]))
    if not cv2.imwrite(str(path), np.vstack(rows)):
        raise SinkError(f"{path} cannot be written as a picture")
