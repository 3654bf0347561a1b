"""Bad data: every problem is named with its file and id, counted, and skipped or refused."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from livepose.errors import DataError

logger = logging.getLogger(__name__)

SHOWN_PER_KIND = 5


@dataclass
class Problems:
    """Collects what is wrong with a set; in strict mode the first problem is an error."""

    strict: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)

    def add(self, kind: str, file: str, identity: str, detail: str) -> None:
        """Note one problem.

        Raises
        ------
        DataError
            In strict mode, naming the file, the id and what is wrong.
        """
        message = f"{kind}: {file}, {identity}: {detail}"
        if self.strict:
            raise DataError(f"{message} (leave out --strict-data to skip such data)")
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN_PER_KIND:
            self.messages.append(message)

    def tell(self) -> None:
        """Say every kept message and then how many of each kind were skipped."""
        for message in self.messages:
            logger.warning(f"skipped {message}")
        for kind, count in sorted(self.counts.items()):
            if count > SHOWN_PER_KIND:
                logger.warning(f"skipped {count} in all: {kind}")
