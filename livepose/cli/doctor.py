"""``livepose doctor``: looks at this machine, and prints what is wrong and how to mend it."""

import json
import re
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial

from livepose.cli.doctor_checks import FAIL, OK, ROWS, WARN, Machine, Verdict
from livepose.cli.options import Command, options
from livepose.settings import option

COLOURS = {OK: "green", WARN: "yellow", FAIL: "bold red"}
AT_ONCE = 2
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Check:
    """One line of the table."""

    name: str
    status: str
    found: str
    mend: str = ""


def device_name(text: str) -> str:
    """The name of a device, which need not be there."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", text):
        raise ValueError(f"expected auto, cpu, cuda, cuda:N or mps, got {text!r}")
    return text


@dataclass(frozen=True)
class DoctorSettings:
    """What the doctor is to say, and of what."""

    json: bool = option(False, "print the findings as JSON")
    device: str = option(
        "auto", "fail without it: cpu, cuda, cuda:N or mps", metavar="D", parse=device_name
    )


def run(given: Namespace) -> int:
    """Examines, prints, and returns 0 if livepose is usable, else the first failure's code."""
    settings = options(DoctorSettings, given)
    checks = examine(settings.device)
    code = next((ROWS[one.name].exit_code for one in checks if one.status == FAIL), 0)
    if settings.json:
        lines = [asdict(check) for check in checks]
        print(json.dumps({"usable": code == 0, "exit_code": code, "checks": lines}, indent=2))
    else:
        print_table(checks)
    return code


DOCTOR = Command("Checks this machine, and says how to mend it.", [DoctorSettings], run)


def examine(device: str) -> list[Check]:
    """All checks, in the order of the table."""
    machine = Machine(device)
    found = {
        name: Verdict(WARN, f"not installed: {row.without}", "pip install 'livepose[torch]'")
        for name, row in ROWS.items()
        if row.without and name not in machine.installed
    }
    alone = [name for name, row in ROWS.items() if row.broken and name not in found]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found |= zip(alone, pool.map(partial(probe, machine=machine), alone), strict=True)
    machine = replace(machine, torch=found["torch"])
    verdicts = {name: found.get(name) or row.look(machine) for name, row in ROWS.items()}
    return [Check(name, *verdict[:3]) for name, verdict in verdicts.items()]


def probe(
    name: str,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    machine: Machine | None = None,
) -> Verdict:
    """Looks in a process of its own; what ends that process is a finding too."""
    command = [sys.executable, "-m", "livepose.cli.doctor_checks", name]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        return ROWS[name].failed(f"did not answer within {timeout_s:g} s", machine)
    if done.returncode == 0:
        # A library may chatter on stdout; the verdict is the last line.
        return Verdict(*json.loads(done.stdout.splitlines()[-1]))
    last = next((line.strip() for line in done.stderr.splitlines()[::-1] if line.strip()), "")
    if done.returncode > 0:
        return ROWS[name].failed(last or f"ended with exit code {done.returncode}", machine)
    died = f"died of {signal.Signals(-done.returncode).name}"
    return ROWS[name].failed(f"{died}: {last}" if last else died, machine)


def print_table(checks: list[Check]) -> None:
    """The table, and below it the commands, unbroken so that they can be copied."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "check", "found", box=None, pad_edge=False)
    for one in checks:
        table.add_row(Text(one.status, style=COLOURS[one.status]), one.name, Text(one.found))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for one in checks:
        if one.status != OK and one.mend:
            name = Text(f"\n{one.name}: ", style=COLOURS[one.status])
            console.print(name, Text(one.mend), sep="", soft_wrap=True)
    failed = [one.name for one in checks if one.status == FAIL]
    verdict = f"not usable yet: {', '.join(failed)}" if failed else "livepose is usable here"
    console.print(Text(f"\n{verdict}", style="bold"), soft_wrap=True)
