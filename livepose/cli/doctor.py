"""``livepose doctor``: looks at this machine, and prints what is wrong and how to mend it."""

import json
import re
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from livepose.cli import doctor_checks as checks
from livepose.cli.doctor_checks import Check
from livepose.cli.doctor_probes import PROBES, Probed, probe
from livepose.cli.options import Command, options
from livepose.machine import answer_of, processor_flags, processor_name, usable_cores
from livepose.settings import option

_AT_ONCE = 2
_COLOURS = {checks.OK: "green", checks.WARN: "yellow", checks.FAIL: "bold red"}


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


COMMAND = Command("Checks this machine, and says how to mend it.", [DoctorSettings])


def run(arguments: Namespace) -> int:
    """Examines, prints, and returns 0 if livepose is usable, else the first failure's code."""
    settings = options(DoctorSettings, arguments)
    findings = examine(settings.device)
    code = checks.exit_code(findings)
    if settings.json:
        lines = [check.to_dict() for check in findings]
        print(json.dumps({"usable": code == 0, "exit_code": code, "checks": lines}, indent=2))
    else:
        print_table(findings)
    return code


def examine(device: str) -> list[Check]:
    """All checks, in the order of the table."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = dict(zip(PROBES, pool.map(probe, PROBES), strict=True))
    installed = installed_packages()
    return [
        checks.check_processor(processor_name(), usable_cores(), processor_flags()),
        checks.check_torch(found["torch"], installed),
        checks.check_device(device, found["torch"], nvidia_present()),
        checks.check_openvino(found["openvino"]),
        checks.check_numba(found["numba"], _numba_cache_writable(found["numba"])),
        checks.check_opencv(found["opencv"], installed),
        checks.check_window(found["window"]),
        checks.check_pyav(found["pyav"]),
        checks.check_ultralytics(installed),
        checks.check_torchvision(installed, torch_wanted_by_torchvision()),
        checks.check_weights("pose weights", found["pose weights"]),
        checks.check_weights("detector weights", found["detector weights"]),
        checks.check_cameras(found["cameras"]),
        _check_cache(),
    ]


def print_table(findings: list[Check]) -> None:
    """The table, and below it the commands, unbroken so that they can be copied."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "check", "found", box=None, pad_edge=False)
    for check in findings:
        table.add_row(
            Text(check.status, style=_COLOURS[check.status]), check.name, Text(check.found)
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    for check in findings:
        if check.status != checks.OK and check.mend:
            style = _COLOURS[check.status]
            console.print(
                Text(f"\n{check.name}: ", style=style), Text(check.mend), sep="", soft_wrap=True
            )
    failed = [check.name for check in findings if check.status == checks.FAIL]
    verdict = f"not usable yet: {', '.join(failed)}" if failed else "livepose is usable here"
    console.print(Text(f"\n{verdict}", style="bold"), soft_wrap=True)


def installed_packages() -> dict[str, str]:
    """Every installed distribution, lower case, with its version."""
    return {
        str(each.metadata["Name"]).lower(): each.version
        for each in metadata.distributions()
        if each.metadata["Name"]
    }


def torch_wanted_by_torchvision() -> str | None:
    """The version of torch that torchvision's metadata names; torchvision is not loaded."""
    try:
        requirements = metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError:
        return None
    found = (re.fullmatch(r"torch\s*\(?==\s*([\w.]+)\)?", line) for line in requirements)
    return next((match[1] for match in found if match), None)


def nvidia_present() -> bool:
    """Whether NVIDIA's driver answers."""
    return "GPU" in answer_of("nvidia-smi", "-L")


def _numba_cache_writable(probed: Probed) -> bool:
    folder = probed.facts.get("cache")
    return folder is not None and checks.writable(Path(folder))


def _check_cache() -> Check:
    from livepose.weights.places import cache_folder, is_cache_lasting

    if not is_cache_lasting():
        return checks.check_cache(cache_folder(), None)
    return checks.check_cache(cache_folder(), checks.free_bytes(cache_folder()))
