"""The figures as Markdown; the README's table is this one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.curves import CURVES, TARGET_FPS
from benchmarks.targets import Target, said, targets
from livepose.evaluation.report import markdown_table

Document = Mapping[str, Any]
Cells = Iterable[Sequence[str]]
BEGIN, END = "<!-- benchmarks: made by `make benchmarks` -->", "<!-- /benchmarks -->"
STARTS = {
    "first_start": "the very first, with empty caches",
    "later_starts_median": "later, median",
}


def markdown(document: Document) -> str:
    """Everything, one section a part."""
    parts = document["parts"]
    sections = ["# Benchmarks", *summary(document), notes(document), *details(parts)]
    return "\n\n".join(sections).rstrip() + "\n"


def summary(document: Document) -> Iterator[str]:
    """Baselines, aims and the machine."""
    parts = document["parts"]
    yield provenance(document) if parts else "Not measured yet."
    if baselines := baseline_parts(parts):
        yield baselines_table(baselines, parts.get("accuracy", {}).get("rows", {}))
    if "clips" in parts:
        yield clips_table(parts["clips"])
    if aims := targets(parts):
        yield markdown_table(["aim", "wanted", "measured", ""], map(aim, aims))


def speed(document: Document) -> str:
    """What the README shows: real clips where they were measured, else the made scene."""
    parts = document["parts"]
    baselines = baseline_parts(parts)
    if "clips" in parts:
        return f"{provenance(document)}\n\n{clips_table(parts['clips'])}"
    if not baselines:
        return "Not measured yet."
    table = baselines_table(baselines, parts.get("accuracy", {}).get("rows", {}))
    return f"{provenance(document)}\n\n{table}"


def aim(one: Target) -> list[str]:
    """What was wanted, what was measured, and whether that will do."""
    sign = "≥" if one.at_least else "≤"
    measured = "not measured" if one.measured is None else f"{one.measured:.2f} {one.unit}"
    if one.interval is not None:
        measured += f" [{one.interval[0]:.2f}, {one.interval[1]:.2f}]"
    verdict = f"**{one.verdict}**" if one.verdict not in ("", "met") else one.verdict
    return [one.what, f"{sign} {one.wanted:g} {one.unit}", measured, verdict]


def provenance(document: Document) -> str:
    """Machine and time, in two lines."""
    machine = document["machine"]
    days = " and ".join(sorted({part["taken"][:10] for part in document["parts"].values()}))
    return (
        f"{machine['processor']}, {machine['system']}, {days}. Medians over rounds with their\n"
        "quartiles, baselines in turn in one run; in round brackets the ratio to livepose."
    )


def baseline_parts(parts: Document) -> list[Document]:
    """The measured numbers of people, fewest first."""
    found = (part for name, part in parts.items() if name.startswith("baselines"))
    return sorted(found, key=lambda part: int(part["people"]))


def baselines_table(baselines: Sequence[Document], accuracy: Document) -> str:
    """One row a baseline; frames/s at each number of people, ratio to livepose, accuracy."""
    people = [f"fps, {said(part['people'])}" for part in baselines]
    entries = {key: properties for part in baselines for key, properties in part["entries"].items()}
    absent = {key: properties for part in baselines for key, properties in part["absent"].items()}
    rows = [
        [
            properties["title"],
            *(cell(part["rows"], key) for part in baselines),
            scored(accuracy.get(key, {})) or properties["accuracy"],
        ]
        for key, properties in entries.items()
    ]
    rows += [
        [properties["title"], *[""] * len(baselines), f"not measured: {properties['why']}"]
        for key, properties in absent.items()
        if key not in entries
    ]
    return markdown_table(["from decoded 640x480 frames to poses", *people, "COCO AP"], rows)


def clips_table(part: Document) -> str:
    """One row a baseline; frames/s on each real clip, and how often our detector looked there."""
    clips = part["clips"]
    own = [rows.get("livepose", {}) for rows in clips.values()]
    rows = [
        ["people a frame", *(f"{row['people_found']:g}" if row else "" for row in own)],
        [
            "detector ran",
            *(f"{row['detected_percent']:.0f} % of frames" if row else "" for row in own),
        ],
        *(
            [title, *(cell(rows, key) for rows in clips.values())]
            for key, title in part["titles"].items()
        ),
        *(
            [f"{properties['title']}: not measured: {properties['why']}", *[""] * len(clips)]
            for properties in part["absent"].values()
        ),
    ]
    return markdown_table(["real clips, 480 lines, fps", *clips], rows)


def notes(document: Document) -> str:
    """What each baseline is, in which versions and at which commit."""
    parts = document["parts"]
    entries = {key: one for part in baseline_parts(parts) for key, one in part["entries"].items()}
    return "\n".join(
        [
            *(
                f"- {one['title']}: {one['note']}; weights: {one['weights']}"
                for one in entries.values()
            ),
            f"- versions: {document['machine']['versions']}",
            *(f"- {name}: commit {one['commit']}, {one['taken']}" for name, one in parts.items()),
        ]
    )


def scored(row: Document) -> str:
    """The AP that was measured here, with its interval."""
    if "ap" not in row:
        return ""
    return f"{row['ap']:.1f} [{row['low']:.1f}, {row['high']:.1f}] (coco/dev)"


def cell(rows: Document, key: str) -> str:
    """``28.1 [27.9, 28.4] (0.50)``: the median, its quartiles, the ratio to livepose."""
    if key not in rows:
        return ""
    fps = rows[key]["fps"]
    text = f"{figure(fps['median'])} [{figure(fps['q1'])}, {figure(fps['q3'])}]"
    if key != "livepose" and "livepose" in rows:
        text += f" ({fps['median'] / rows['livepose']['fps']['median']:.2f})"
    return text


def band(figure: Document, digits: int) -> str:
    """``12.3 [11.9, 12.8]``."""
    median, q1, q3 = (f"{figure[name]:.{digits}f}" for name in ("median", "q1", "q3"))
    return f"{median} [{q1}, {q3}]"


def figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def details(parts: Document) -> Iterator[str]:
    """The sections that the README leaves out."""
    heads: Sequence[str]
    if baselines := baseline_parts(parts):
        heads = ("", "people in it", "ms, median", "quartiles", "people found")
        yield section("A frame", heads, frames(baselines))
    if "stages" in parts:
        part = parts["stages"]
        stages = part["result"]["stages_ms"].items()
        rows = [[name, *(f"{one[q]:.3f}" for q in ("mean", "p50", "p95"))] for name, one in stages]
        rows.append(["whole frame", f"{part['whole_ms']:.3f}", "", ""])
        title = f"Where the time goes, {part['people']} people, drawing included"
        yield section(title, ("stage", "mean ms", "p50", "p95"), rows)
    if "network" in parts:
        part = parts["network"]
        heads = ("crops at once", "livepose's runtime, ms", "bare, ms")
        rows = [
            [batch, *(band(row[name], 2) for name in ("runtime_ms", "bare_ms"))]
            for batch, row in part["batches"].items()
        ]
        yield section(f"The pose network, {part['precision']}", heads, rows)
    if "startup" in parts:
        heads = ("", "loaded and warm, s", "first pose, s", "processor time, s")
        names = ("header_s", "first_pose_s", "cpu_s")
        starts = ((title, parts["startup"][name]) for name, title in STARTS.items())
        rows = [[title, *(str(one[name]) for name in names)] for title, one in starts]
        yield section("Start", heads, rows)
    if curves := curve_parts(parts):
        heads = ("", "", "frames/s", "age of the image, ms")
        image = "Cost curves\n\n![Frames/s and age](benchmark-curves.png)"
        yield section(image, heads, curve_rows(curves), words=2)
    if "memory" in parts:
        told = parts["memory"].items()
        rows = [
            [name.replace("_", " "), str(one)]
            for name, one in told
            if not isinstance(one, dict | list)
        ]
        yield section("Memory", ("", ""), rows)
    if "gpu" in parts:
        from benchmarks.gpu import markdown as gpu_markdown

        yield "\n".join(gpu_markdown(parts["gpu"]))


def section(title: str, heads: Sequence[str], rows: Cells, words: int = 1) -> str:
    """A table under its title."""
    return f"## {title}\n\n{markdown_table(heads, rows, words)}"


def frames(baselines: Sequence[Document]) -> Iterator[list[str]]:
    """Milliseconds a frame, and how many people each baseline saw."""
    for part in baselines:
        for key, row in part["rows"].items():
            ms, title = row["frame_ms"], part["entries"][key]["title"]
            quartiles, count = f"{ms['q1']:.1f}, {ms['q3']:.1f}", str(part["people"])
            yield [title, count, f"{ms['median']:.1f}", quartiles, f"{row['people_found']:g}"]


def curve_parts(parts: Document) -> dict[str, list[Document]]:
    """The measured curves' points by their names."""
    names = (name for name in CURVES if f"curves-{name}" in parts)
    return {name: parts[f"curves-{name}"]["points"] for name in names}


def curve_rows(measured: Mapping[str, Sequence[Document]]) -> Iterator[list[str]]:
    """The curves' figures."""
    names = {"budget": f"people, --target-fps {TARGET_FPS:g}"}
    for name, points in measured.items():
        for one in points:
            title, at = names.get(name, name), str(one["at"])
            yield [title, at, band(one["fps"], 1), band(one["age_ms"], 0)]


def put_into(readme: Path, document: Document) -> bool:
    """Writes the summary between the README's marks; False where it has none."""
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        return False
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    block = f"{BEGIN}\n\n{speed(document).rstrip()}\n\n{END}"
    readme.write_text(f"{before}{block}{after}", encoding="utf-8")
    return True
