"""The log of requests that were refused because of the operator's configuration or of what a peer may do."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

log = structlog.get_logger(__name__)

EVERY_S = 1.0
MAX_KEYS = 1_000


class RefusalLog:
    """Logs the first refusal of a peer with a result code, then one a second with how many came between.

    A missing rule refuses every request of a gateway: thousands of lines a second would say no more.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, int], tuple[float, int]] = {}

    def note(
        self, peer: str, session_id: str, number: int, result_code: int, why: Sequence[str], now: float
    ) -> None:
        """``now`` is the loop's clock, seconds."""
        logged_at, since = self._last.get((peer, result_code), (now - EVERY_S, 0))
        if now - logged_at < EVERY_S:
            self._last[peer, result_code] = logged_at, since + 1
            return
        if len(self._last) >= MAX_KEYS:
            self._last.clear()
        self._last[peer, result_code] = now, 0
        log.warning(
            "diameter.refused_by_rule",
            peer=peer,
            session_id=session_id[:255],
            number=number,
            result_code=result_code,
            why="; ".join(why)[:500],
            not_logged=since,
        )
