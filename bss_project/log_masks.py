"""What logs may not say: secrets never, numbers of subscribers and devices by choice."""

from __future__ import annotations

import re
from typing import Any

from structlog.typing import EventDict, Processor

HIDDEN = "***"
_SECRET = re.compile(
    r"(^|_)(pins?|password|secret|token|authorization|private_key|passphrase)($|_)", re.IGNORECASE
)
# E.164 and E.212 numbers have up to 15 digits, an IMEI 15; a shorter one may be an id. Session ids are left whole.
_NUMBER = re.compile(r"(?<![\w;.:/-])\+?\d{7,13}(\d{3})(?![\w;.:/-])", re.ASCII)


def masked(mask_numbers: bool) -> Processor:
    """A processor that hides the values of fields with a secret's name; and, if wanted, all of a number but its end."""

    def mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            if _SECRET.search(name) and value:
                event[name] = HIDDEN
            elif mask_numbers and isinstance(value, str):
                event[name] = _NUMBER.sub(rf"{HIDDEN}\1", value)
        return event

    return mask
