"""Bad data: every problem is named with its file and id, counted, and skipped or refused."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from livepose.errors import DataError

SHOWN_PER_KIND = 5

logger = logging.getLogger(__name__)


@dataclass
class Problems:
    """Collects what is wrong with a set; in strict mode the first problem is an error."""

    strict: bool = False
    advice: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)

    def add(self, kind: str, where: str, detail: str) -> None:
        """Note one problem; ``where`` names the file and the entry. DataError in strict mode."""
        message = f"{kind}: {where}: {detail}"
        if self.strict:
            raise DataError(message + self.advice)
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

    def reason(self) -> str:
        """Why nothing may be left: the first message, and the kinds with their counts."""
        if not self.counts:
            return ""
        kinds = ", ".join(f"{count} x {kind}" for kind, count in self.counts.most_common())
        return f"; left out: {kinds} (first: {self.messages[0]})"
