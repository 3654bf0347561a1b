"""The JSON of an evaluation: settings, machine, rows, differences."""

import json
from dataclasses import asdict
from typing import Any

from livepose.evaluation.measured import Measured
from livepose.evaluation.settings import Choice
from livepose.machine import PACKAGES, known_version, processor_name, usable_cores


def document(measured: Measured, choice: Choice, data_set: str) -> dict[str, Any]:
    """Everything that is needed to read the figures again later."""
    return {
        "set": data_set,
        "pictures": measured.pictures,
        "people": measured.people,
        "settings": asdict(choice),
        "machine": {
            "processor": f"{processor_name()}, {usable_cores()} cores",
            "versions": {name: known_version(name) for name in PACKAGES},
        },
        "rows": [row.as_dict() for row in measured.rows],
        "differences": [one.as_dict() for one in measured.differences],
    }


def as_json(content: Any) -> str:
    """Readable JSON; paths are text."""
    return json.dumps(content, indent=2, ensure_ascii=False, default=str)
