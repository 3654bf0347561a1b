"""How long everything is measured: in earnest, and in seconds for a test."""

from dataclasses import dataclass

from benchmarks.rounds import Length


@dataclass(frozen=True, slots=True)
class Plan:
    """Lengths of the parts."""

    warm_up_frames: int
    """Of livepose, whose detector has to come to rest, and of others that are quick."""
    warm_up_s: float
    """After which the others stop warming up."""
    rounds: int
    length: Length
    scene_frames: int
    curve_frames: int
    """Measured frames of each point of a curve, at most."""
    curve_s: float
    """... or so many seconds, if that is less."""
    runs: int
    """Repetitions of a single kernel or network run."""
    memory_frames: int
    """Five minutes' worth in earnest, so that the whole takes minutes; an hour's are 108,000."""
    quick: bool = False


FULL = Plan(
    warm_up_frames=40,
    warm_up_s=2.0,
    rounds=5,
    # A livepose round must hold several looks of the detector, which rests for half a second.
    length=Length(least=2, most=90, seconds=1.0),
    scene_frames=120,
    curve_frames=60,
    curve_s=1.5,
    runs=40,
    memory_frames=9_000,
)
QUICK = Plan(
    warm_up_frames=2,
    warm_up_s=1.0,
    rounds=2,
    length=Length(least=1, most=3, seconds=0.2),
    scene_frames=6,
    curve_frames=3,
    curve_s=0.5,
    runs=3,
    memory_frames=300,
    quick=True,
)
