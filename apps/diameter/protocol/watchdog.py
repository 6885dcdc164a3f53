"""The watchdog of RFC 3539 section 3.4.1: whether a silent peer is still there.

Of the RFC's states those about falling back after a failure (REOPEN, and DOWN as a lasting state) belong to a node
that chooses between peers; this side answers, so a connection that is DOWN ends.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum


class WatchdogState(Enum):
    OKAY = "okay"
    """Heard from within the interval."""
    AWAITING = "awaiting"
    """Silent for an interval; a DWR is on its way (OKAY with Pending, in the RFC)."""
    SUSPECT = "suspect"
    """Silent for two."""
    DOWN = "down"
    """Silent for three: the connection is to be closed."""


class WatchdogInput(Enum):
    RECEIVED = "received"
    TIMER = "timer"


class WatchdogAction(Enum):
    NOTHING = "nothing"
    SEND_DWR = "send_dwr"
    CLOSE = "close"


_S, _I, _A = WatchdogState, WatchdogInput, WatchdogAction

TRANSITIONS: dict[tuple[WatchdogState, WatchdogInput], tuple[WatchdogAction, WatchdogState]] = {
    (_S.OKAY, _I.RECEIVED): (_A.NOTHING, _S.OKAY),
    (_S.OKAY, _I.TIMER): (_A.SEND_DWR, _S.AWAITING),
    (_S.AWAITING, _I.RECEIVED): (_A.NOTHING, _S.OKAY),
    (_S.AWAITING, _I.TIMER): (_A.NOTHING, _S.SUSPECT),
    (_S.SUSPECT, _I.RECEIVED): (_A.NOTHING, _S.OKAY),
    (_S.SUSPECT, _I.TIMER): (_A.CLOSE, _S.DOWN),
    (_S.DOWN, _I.RECEIVED): (_A.NOTHING, _S.DOWN),
    (_S.DOWN, _I.TIMER): (_A.NOTHING, _S.DOWN),
}

_OKAY = WatchdogState.OKAY
MIN_INTERVAL_S = 6.0
"""RFC 3539 forbids a shorter Tw."""


class Watchdog:
    """One connection's watchdog. Times are seconds of a clock that never goes back.

    ``jitter`` gives −2 to +2 seconds, drawn for each interval, so that many peers do not ask at once.
    """

    __slots__ = ("_interval_s", "_jitter", "_probing", "_tw_s", "deadline", "state")

    def __init__(self, tw_s: float, jitter: Callable[[], float], now: float) -> None:
        self._tw_s = max(tw_s, MIN_INTERVAL_S)
        self._jitter = jitter
        self.state = WatchdogState.OKAY
        self._probing = False
        self._interval_s = self._tw_s + jitter()
        self.deadline = now + self._interval_s

    def received(self, now: float) -> None:
        """Anything at all came from the peer."""
        if self.state is not _OKAY:
            self._probing = False
            self.state = TRANSITIONS[self.state, WatchdogInput.RECEIVED][1]
        self.deadline = now + self._interval_s

    def tick(self, now: float) -> WatchdogAction:
        """What is due by ``now``."""
        if now < self.deadline:
            return WatchdogAction.NOTHING
        action, self.state = TRANSITIONS[self.state, WatchdogInput.TIMER]
        self._interval_s = self._tw_s + self._jitter()
        self.deadline = now + self._interval_s
        return action

    def probe(self, now: float, patience_s: float) -> bool:
        """The owner doubts that the peer is there: the connection ends unless something comes within ``patience_s``.

        Returns whether a DWR is to be sent. Further doubts before it is answered neither ask again nor move the
        deadline, or frequent probes would keep a dead connection alive.
        """
        if self._probing:
            return False
        self._probing = True
        self.state = WatchdogState.SUSPECT
        self.deadline = min(self.deadline, now + patience_s)
        return True
