"""The benchmark's figures as a table on stdout."""

from rich.console import Console
from rich.table import Table

from livepose.benchmark.run import FIGURES, Result


def print_table(result: Result) -> None:
    """Stages, totals, the machine, and the sentence on the bottleneck."""
    console = Console()
    console.print(stages_table(result))
    console.print(totals(result))
    for name, value in result.machine.items():
        console.print(f"{name}: {value}", highlight=False)
    for note in result.notes:
        console.print(f"note: {note}", highlight=False)
    console.print(result.bottleneck, style="bold", highlight=False)


def stages_table(result: Result) -> Table:
    """Each stage's mean, p50, p95 and p99."""
    width, height = result.size_wh
    table = Table(title=f"{result.scene}, {width}x{height}, {result.frames} frames")
    table.add_column("stage")
    for name in FIGURES:
        table.add_column(f"{name} ms", justify="right")
    for stage, figures in result.stages_ms.items():
        table.add_row(stage, *(f"{value:.2f}" for value in figures.values()))
    table.add_section()
    latency = (f"{value:.2f}" for value in result.latency_ms.values())
    table.add_row("frame to poses", *latency)
    return table


def totals(result: Result) -> str:
    """The figures that are one number each."""
    return (
        f"{result.fps:.1f} frames/s end to end, {result.crops_per_s:.1f} crops/s, "
        f"{result.people_per_frame:.2f} people a frame, the detector looked at "
        f"{result.looked_percent:.0f} % of the frames, "
        f"peak memory {result.peak_memory_mb:.0f} MB"
    )
