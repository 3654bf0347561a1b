"""The rooms of the house: who may import whom, and how large a room may grow."""

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "livepose"

# Lowest first. A module imports only from levels below its own, or from its own room.
LEVELS = [
    {"errors", "files", "paths"},
    {"compiled"},
    {"frame", "skeletons", "boxes", "settings"},
    {"poses", "threads"},
    {"heatmaps", "networks", "crops"},
    {"weights"},
    {"runtimes"},
    {"sources", "detection", "tracking", "smoothing", "drawing"},
    {"sinks"},
    {"results"},
    {"live"},
    {"window", "estimator", "budget", "export"},
    {"pipeline"},
    {"player", "multistream", "machine"},
    {"batch"},
    {"evaluation"},
    {"training", "calibration"},
    {"benchmark"},
    {"cli"},
    {"__main__"},
]
# Each exception with its reason.
ALLOWED: dict[tuple[str, str], str] = {
    ("poses", "drawing"): "a result draws itself, and loads that only then",
    ("poses", "results"): "a result becomes a table, and loads that only then",
    ("poses", "sinks"): "a result is written as outputs are, and loads that only then",
}

OFFLINE = {"evaluation", "training", "calibration", "benchmark"}
ONLY_IN = {
    "numba": {"compiled", "heatmaps", "cli.doctor"},
    "ultralytics": {"detection", "training", "evaluation"},
    "av": {"sources", "sinks", "cli.doctor"},
    "PIL": {"sources"},
    "pillow_heif": {"sources"},
    "openvino": {"runtimes", "detection", "export", *OFFLINE, "cli.doctor"},
    "pycocotools": OFFLINE,
    "trackeval": OFFLINE,
    "matplotlib": {*OFFLINE, "results"},
    "pyarrow": {"results"},
    "ray": {"batch.places"},
    "websockets": {"live"},
    "lap": {"tracking"},
    "scipy": OFFLINE,
}
# For which the field has another word: cost, baseline, clip, image, track slot, logger, lock, ...
PRIVATE_WORDS = frozenset(
    (
        *("price", "prices", "rival", "rivals", "film", "films", "picture", "pictures", "looks"),
        *("seat", "seats", "closer", "voice", "learner", "hardness", "trouble", "foreign", "lets"),
        *("sidecar", "facts", "cutout", "cutouts", "rehearse", "gathering", "bucket", "buckets"),
        *("elected", "carrying", "lay"),
    )
)


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def upward_imports(path: Path) -> list[str]:
    level = {room: index for index, rooms in enumerate(LEVELS) for room in rooms}
    own = dotted(path).split(".")[0]
    names = (name.split(".") for name in imports(path))
    rooms = {parts[1] for parts in names if parts[0] == "livepose" and len(parts) > 1}
    return [
        f"{dotted(path)} imports {other} from its own level or above"
        for other in sorted(rooms & set(level) - {own})
        if own and level[other] >= level[own] and (own, other) not in ALLOWED
    ]


def libraries_out_of_their_room(path: Path) -> list[str]:
    name, found = dotted(path), {one.split(".")[0] for one in imports(path)}
    return [
        f"{name} imports {library}"
        for library, homes in ONLY_IN.items()
        if library in found and not name.startswith(tuple(homes))
    ]


def what_is_too_long(path: Path) -> list[str]:
    text = path.read_text()
    found = [f"{dotted(path)}: over 400 lines"] if len(text.splitlines()) > 400 else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > 60 + len((ast.get_docstring(node, clean=False) or "").splitlines()):
                found.append(f"{dotted(path)}.{node.name}: {length} lines")
    return found


def private_words(path: Path) -> list[str]:
    names = {path.stem}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    words = {name: {w.lower() for w in re.findall("[A-Z]?[a-z]+|[A-Z]+", name)} for name in names}
    return [f"{dotted(path)}: {name}" for name in sorted(names) if words[name] & PRIVATE_WORDS]


@pytest.mark.parametrize(
    "check",
    [upward_imports, libraries_out_of_their_room, what_is_too_long, private_words],
    ids=[
        "a module imports only from levels below",
        "a library has one room",
        "files and functions stay readable",
        "names are words of the field",
    ],
)
def test_the_house_keeps_its_rules(check: Callable[[Path], list[str]]) -> None:
    wrong = [line for path in modules() for line in check(path)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("imported", "absent"),
    [
        ("livepose", "torch cv2 numba ultralytics openvino av"),
        (
            "livepose.pipeline livepose.player livepose.cli.play",
            "livepose.training livepose.evaluation livepose.calibration livepose.benchmark "
            "matplotlib pycocotools torchvision",
        ),
        (
            "livepose.pipeline livepose.player livepose.cli.play livepose.runtimes",
            "torch ultralytics scipy.optimize",
        ),
    ],
    ids=[
        "livepose itself loads nothing heavy and says nothing",
        "the live path loads neither training nor evaluation nor their libraries",
        "the live path loads torch only where it has to",
    ],
)
def test_what_an_import_does_not_load(imported: str, absent: str) -> None:
    code = (
        f"import sys, {', '.join(imported.split())};"
        f"heavy = set({absent.split()}) & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
