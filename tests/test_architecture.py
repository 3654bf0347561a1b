"""The rooms of the house: who may import whom, and how large a room may grow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "livepose"

# Lowest first. A module imports only from levels below its own, or from its own room.
LEVELS = [
    {"errors", "frame", "skeletons", "boxes", "timing", "gathering", "settings"},
    {"poses", "threads"},
    {"heatmaps", "networks"},
    {"weights"},
    {"runtimes"},
    {"sources", "detector", "tracking", "crops", "smoothing", "drawing", "sinks"},
    {"gpu"},
    {"window", "estimator", "sheet", "budget"},
    {"pipeline"},
    {"player", "service"},
    {"offline"},
    {"cli"},
    {"__main__"},
]
# Each exception with its reason.
ALLOWED: dict[tuple[str, str], str] = {}

ONLY_IN = {
    "numba": {"heatmaps", "_kernels", "cli.doctor"},
    "ultralytics": {"detector", "offline"},
    "av": {"sources", "sinks", "cli.doctor"},
    "openvino": {"runtimes", "detector", "offline", "cli.doctor"},
    "pycocotools": {"offline"},
    "trackeval": {"offline"},
    "matplotlib": {"offline"},
    "scipy": {"tracking", "offline"},
}


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


def level(room: str) -> int:
    return next(index for index, rooms in enumerate(LEVELS) if room in rooms)


def rooms_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imports(path))
    known = set().union(*LEVELS)
    return {parts[1] for parts in names if parts[0] == "livepose" and len(parts) > 1} & known


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_imports_only_from_levels_below_its_own(path: Path) -> None:
    own = dotted(path).split(".")[0]
    if own == "":
        return
    upwards = {
        other
        for other in rooms_imported(path) - {own}
        if level(other) >= level(own) and (own, other) not in ALLOWED
    }
    assert not upwards, f"{dotted(path)} imports {upwards} from its own level or above"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_library_stays_in_its_room(path: Path) -> None:
    name = dotted(path)
    for library, homes in ONLY_IN.items():
        used = any(found.split(".")[0] == library for found in imports(path))
        at_home = any(name.startswith(home) or name.endswith(home) for home in homes)
        assert at_home or not used, f"{name} imports {library}"


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_file_stays_readable(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_function_stays_under_sixty_lines(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60 + docstring_lines(node), f"{dotted(path)}.{node.name}: {length}"


def docstring_lines(node: ast.FunctionDef) -> int:
    text = ast.get_docstring(node, clean=False)
    return len(text.splitlines()) if text else 0


def test_importing_livepose_loads_nothing_heavy_and_says_nothing() -> None:
    code = (
        "import sys, livepose;"
        "heavy = {'torch', 'cv2', 'numba', 'ultralytics', 'openvino', 'av'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_live_path_loads_neither_offline_rooms_nor_their_libraries() -> None:
    code = (
        "import sys, livepose.pipeline, livepose.player, livepose.cli.play;"
        "heavy = {'livepose.offline', 'matplotlib', 'pycocotools', 'torchvision'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_live_path_loads_torch_only_where_it_has_to() -> None:
    code = (
        "import sys, livepose.pipeline, livepose.player, livepose.cli.play, livepose.runtimes;"
        "heavy = {'torch', 'ultralytics'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
