"""The JSON of an evaluation: settings, machine, rows, differences."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from livepose.offline.evaluation.coco_run import Measured
from livepose.offline.evaluation.settings import Choice
from livepose.offline.machine import PACKAGES, known_version, processor_name, usable_cores


def document(measured: Measured, choice: Choice, data_set: str) -> dict[str, Any]:
    """Everything that is needed to read the figures again later."""
    return {
        "set": data_set,
        "pictures": measured.pictures,
        "people": measured.people,
        "settings": plain(asdict(choice)),
        "machine": {
            "processor": f"{processor_name()}, {usable_cores()} cores",
            "versions": {name: known_version(name) for name in PACKAGES},
        },
        "rows": [row.as_dict() for row in measured.rows],
        "differences": [one.as_dict() for one in measured.differences],
    }


def plain(value: Any) -> Any:
    """Paths as text, so that JSON can hold them."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def as_json(content: Any) -> str:
    """Readable JSON."""
    return json.dumps(content, indent=2, ensure_ascii=False)
