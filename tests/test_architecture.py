"""The rooms of the house: who may import whom, and how large a room may grow."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "livepose"

# Lowest first. A module imports only from levels below its own, or from its own room.
LEVELS = [
    {"errors", "kept", "paths"},
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
}

OFFLINE = {"evaluation", "training", "calibration", "benchmark"}
ONLY_IN = {
    "numba": {"compiled", "_kernels", "cli.doctor"},
    "ultralytics": {"detection", "training", "evaluation"},
    "av": {"sources", "sinks", "cli.doctor"},
    "PIL": {"sources"},
    "pillow_heif": {"sources"},
    "openvino": {"runtimes", "detection", "export", *OFFLINE, "cli.doctor"},
    "pycocotools": OFFLINE,
    "trackeval": OFFLINE,
    "matplotlib": {*OFFLINE, "results"},
    "pyarrow": {"results"},
    "ray": {"batch.ray_slots"},
    "websockets": {"live"},
    "lap": {"tracking"},
    "scipy": OFFLINE,
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


def upward_imports(path: Path) -> list[str]:
    own = dotted(path).split(".")[0]
    if own == "":
        return []
    return [
        f"{dotted(path)} imports {other} from its own level or above"
        for other in sorted(rooms_imported(path) - {own})
        if level(other) >= level(own) and (own, other) not in ALLOWED
    ]


def libraries_out_of_their_room(path: Path) -> list[str]:
    name, found = dotted(path), {one.split(".")[0] for one in imports(path)}
    return [
        f"{name} imports {library}"
        for library, homes in ONLY_IN.items()
        if library in found
        and not any(name.startswith(home) or name.endswith(home) for home in homes)
    ]


def long_functions(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > 60 + docstring_lines(node):
                found.append(f"{dotted(path)}.{node.name}: {length} lines")
    return found


def test_only_what_heals_keeps_compiled_code() -> None:
    bare = {"numba.njit", "numba.jit", "numba.vectorize", "numba.guvectorize"}
    found = [dotted(path) for path in modules() if bare & imports(path)]
    assert found == []


def test_a_module_imports_only_from_levels_below_and_libraries_stay_in_their_room() -> None:
    wrong = [
        line
        for path in modules()
        for check in (upward_imports, libraries_out_of_their_room)
        for line in check(path)
    ]
    assert not wrong, "\n".join(wrong)


def test_files_and_functions_stay_readable() -> None:
    wrong = [line for path in modules() for line in long_functions(path)]
    wrong += [
        f"{dotted(path)}: over 400 lines"
        for path in modules()
        if len(path.read_text().splitlines()) > 400
    ]
    assert not wrong, "\n".join(wrong)


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


def test_the_live_path_loads_neither_training_nor_evaluation_nor_their_libraries() -> None:
    code = (
        "import sys, livepose.pipeline, livepose.player, livepose.cli.play;"
        "rooms = {f'livepose.{room}' for room in ('training', 'evaluation', 'calibration')};"
        "heavy = {*rooms, 'livepose.benchmark', 'matplotlib', 'pycocotools', 'torchvision'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_live_path_loads_torch_only_where_it_has_to() -> None:
    code = (
        "import sys, livepose.pipeline, livepose.player, livepose.cli.play, livepose.runtimes;"
        "heavy = {'torch', 'ultralytics', 'scipy.optimize'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
