"""The figures as Markdown; the README's table is this one."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.curves import CURVES, TARGET_FPS
from benchmarks.targets import Target, said, targets

Document = Mapping[str, Any]
BEGIN, END = "<!-- benchmarks: made by `make benchmarks` -->", "<!-- /benchmarks -->"


def markdown(document: Document) -> str:
    """Everything, one section a part."""
    parts = document["parts"]
    lines = ["# Benchmarks", "", *summary(document), *notes(document), *details(parts)]
    return "\n".join(lines).rstrip() + "\n"


def summary(document: Document) -> list[str]:
    """Rivals, aims and the machine."""
    parts = document["parts"]
    if not parts:
        return ["Not measured yet."]
    lines = [*provenance(document), ""]
    if rivals := rival_parts(parts):
        lines += [*rivals_table(rivals, parts.get("accuracy", {}).get("rows", {})), ""]
    if "clips" in parts:
        lines += [*clips_table(parts["clips"]), ""]
    if aims := targets(parts):
        lines += [*aims_table(aims), ""]
    return lines


def speed(document: Document) -> list[str]:
    """What the README shows: real films where they were measured, else the made scene."""
    parts = document["parts"]
    if "clips" in parts:
        return [*provenance(document), "", *clips_table(parts["clips"])]
    rivals = rival_parts(parts)
    if not rivals:
        return ["Not measured yet."]
    accuracy = parts.get("accuracy", {}).get("rows", {})
    return [*provenance(document), "", *rivals_table(rivals, accuracy)]


def aims_table(aims: Sequence[Target]) -> Iterator[str]:
    """What was wanted, what was measured, and whether that will do."""
    yield from ("| aim | wanted | measured | |", "| --- | ---: | ---: | --- |")
    for one in aims:
        sign = "≥" if one.at_least else "≤"
        measured = "not measured" if one.measured is None else f"{one.measured:.2f} {one.unit}"
        if one.interval is not None:
            measured += f" [{one.interval[0]:.2f}, {one.interval[1]:.2f}]"
        verdict = f"**{one.verdict}**" if one.verdict not in ("", "met") else one.verdict
        yield f"| {one.what} | {sign} {one.wanted:g} {one.unit} | {measured} | {verdict} |"


def provenance(document: Document) -> Iterator[str]:
    """Machine and time, in two lines."""
    machine = document["machine"]
    days = " and ".join(sorted({part["taken"][:10] for part in document["parts"].values()}))
    yield f"{machine['processor']}, {machine['system']}, {days}. Medians over rounds with their"
    yield "quartiles, rivals in turn in one run; in round brackets the ratio to livepose."


def rival_parts(parts: Document) -> list[Document]:
    """The measured numbers of people, fewest first."""
    return sorted(
        (part for name, part in parts.items() if name.startswith("rivals")),
        key=lambda part: int(part["people"]),
    )


def rivals_table(rivals: Sequence[Document], accuracy: Document) -> Iterator[str]:
    """One row a rival; frames/s at each number of people, ratio to livepose, accuracy."""
    heads = " | ".join(f"fps, {said(part['people'])}" for part in rivals)
    yield f"| from decoded 640x480 frames to poses | {heads} | COCO AP |"
    yield "| --- |" + " ---: |" * len(rivals) + " --- |"
    entries = {key: facts for part in rivals for key, facts in part["entries"].items()}
    for key, facts in entries.items():
        cells = " | ".join(cell(part["rows"], key) for part in rivals)
        ap = scored(accuracy.get(key, {})) or facts["accuracy"]
        yield f"| {facts['title']} | {cells} | {ap} |"
    absent = {key: facts for part in rivals for key, facts in part["absent"].items()}
    for key, facts in absent.items():
        if key not in entries:
            yield f"| {facts['title']} |" + " |" * len(rivals) + f" not measured: {facts['why']} |"


def clips_table(part: Document) -> Iterator[str]:
    """One row a rival; frames/s on each real film, and how often our detector looked there."""
    films = part["films"]
    yield f"| real films, 480 lines, fps | {' | '.join(films)} |"
    yield "| --- |" + " ---: |" * len(films)
    for what, row_of in (("people a frame", people_cell), ("detector looked", looked_cell)):
        cells = " | ".join(row_of(rows.get("livepose", {})) for rows in films.values())
        yield f"| {what} | {cells} |"
    for key, title in part["titles"].items():
        yield f"| {title} | {' | '.join(cell(rows, key) for rows in films.values())} |"
    for facts in part["absent"].values():
        yield f"| {facts['title']} |" + " |" * len(films) + f" not measured: {facts['why']}"


def people_cell(row: Document) -> str:
    """How many livepose found, in the median."""
    return f"{row['people_found']:g}" if row else ""


def looked_cell(row: Document) -> str:
    """In how many frames the detector looked."""
    return f"{row['looked_percent']:.0f} % of frames" if row else ""


def notes(document: Document) -> Iterator[str]:
    """What each rival is, in which versions and at which commit."""
    parts = document["parts"]
    entries: dict[str, Document] = {}
    for part in rival_parts(parts):
        entries |= part["entries"]
    yield from (
        f"- {one['title']}: {one['note']}; weights: {one['weights']}" for one in entries.values()
    )
    yield f"- versions: {document['machine']['versions']}"
    for name, part in parts.items():
        yield f"- {name}: commit {part['commit']}, {part['taken']}"
    yield ""


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
    if rivals := rival_parts(parts):
        yield from found(rivals)
    for name, section in (("stages", stages), ("network", network), ("startup", startup)):
        if name in parts:
            yield from section(parts[name])
    if found_curves := curve_parts(parts):
        yield from curves(found_curves)
    if "memory" in parts:
        yield from memory(parts["memory"])
    if "gpu" in parts:
        from benchmarks.gpu import markdown as gpu_markdown

        yield from gpu_markdown(parts["gpu"])


def found(rivals: Sequence[Document]) -> Iterator[str]:
    """Milliseconds a frame, and how many people each rival saw."""
    yield from ("## A frame", "", "| | people in it | ms, median | quartiles | people found |")
    yield "| --- | ---: | ---: | ---: | ---: |"
    for part in rivals:
        for key, row in part["rows"].items():
            ms, title = row["frame_ms"], part["entries"][key]["title"]
            band = f"{ms['q1']:.1f}, {ms['q3']:.1f}"
            count = part["people"]
            yield f"| {title} | {count} | {ms['median']:.1f} | {band} | {row['people_found']:g} |"
    yield ""


def stages(part: Document) -> Iterator[str]:
    """Stages of livepose itself."""
    yield from (f"## Where the time goes, {part['people']} people, drawing included", "")
    yield from ("| stage | mean ms | p50 | p95 |", "| --- | ---: | ---: | ---: |")
    for name, stage in part["result"]["stages_ms"].items():
        yield f"| {name} | {stage['mean']:.3f} | {stage['p50']:.3f} | {stage['p95']:.3f} |"
    yield from (f"| whole frame | {part['whole_ms']:.3f} | | |", "")


def network(part: Document) -> Iterator[str]:
    """Runtime and bare network."""
    yield from (f"## The pose network, {part['precision']}", "")
    yield from ("| crops at once | livepose's runtime, ms | bare, ms |", "| ---: | ---: | ---: |")
    for batch, row in part["batches"].items():
        cells = (band(row[name], 2) for name in ("runtime_ms", "bare_ms"))
        yield f"| {batch} | {' | '.join(cells)} |"
    yield ""


def startup(part: Document) -> Iterator[str]:
    """From the command to the first pose."""
    yield from ("## Start", "", "| | loaded and warm, s | first pose, s | processor time, s |")
    yield "| --- | ---: | ---: | ---: |"
    for name, title in (
        ("first_start", "the very first, with empty caches"),
        ("later_starts_median", "later, median"),
    ):
        one = part[name]
        yield f"| {title} | {one['header_s']} | {one['first_pose_s']} | {one['cpu_s']} |"
    yield ""


def curve_parts(parts: Document) -> dict[str, list[Document]]:
    """The measured curves' points by their names."""
    names = (name for name in CURVES if f"curves-{name}" in parts)
    return {name: parts[f"curves-{name}"]["points"] for name in names}


def curves(measured: Mapping[str, Sequence[Document]]) -> Iterator[str]:
    """The curves' figures under their picture."""
    yield from ("## Cost curves", "", "![Frames/s and age](benchmark-curves.png)", "")
    yield from ("| | | frames/s | age of the picture, ms |", "| --- | --- | ---: | ---: |")
    names = {"budget": f"people, --target-fps {TARGET_FPS:g}"}
    for name, points in measured.items():
        for point in points:
            cells = f"{band(point['fps'], 1)} | {band(point['age_ms'], 0)}"
            yield f"| {names.get(name, name)} | {point['at']} | {cells} |"
    yield ""


def memory(part: Document) -> Iterator[str]:
    """What the long run says of itself."""
    yield from ("## Memory", "", "| | |", "| --- | ---: |")
    for name, value in part.items():
        if isinstance(value, int | float | str):
            yield f"| {name.replace('_', ' ')} | {value} |"
    yield ""


def put_into(readme: Path, document: Document) -> bool:
    """Writes the summary between the README's marks; False where it has none."""
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        return False
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    block = "\n".join(speed(document)).rstrip()
    readme.write_text(f"{before}{BEGIN}\n\n{block}\n\n{END}{after}", encoding="utf-8")
    return True
