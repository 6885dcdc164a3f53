"""May this module run? Asked before it starts, and again while it runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import datetime
from typing import NamedTuple

import structlog
from django.conf import settings

from apps.kernel.clock import utc_now
from apps.licensing.domain.errors import LicenceError, NotLicensed
from apps.licensing.domain.licence import Feature, Licence
from apps.licensing.services.files import valid_licence

log = structlog.get_logger(__name__)
NONE = Feature(0)
WARN_AT_DAYS = (1, 7, 30)


class Verdict(NamedTuple):
    """What the last check found: a licence, or why there is none that holds."""

    licence: Licence | None
    error: LicenceError | None


class _Gate:
    """The verdict of this process, made again after ``LICENSE_LOOK_AGAIN_S`` and after SIGHUP."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._verdict: Verdict | None = None
        self._made_at = 0.0
        self._warned = 0
        self.failure: LicenceError | None = None

    def verdict(self) -> Verdict:
        with self._lock:
            age = time.monotonic() - self._made_at
            if self._verdict is None or age >= settings.LICENSE_LOOK_AGAIN_S:
                self._verdict, self._made_at = self._look(utc_now()), time.monotonic()
            return self._verdict

    def forget(self) -> None:
        self._verdict = None

    def _look(self, now: datetime) -> Verdict:
        try:
            licence = valid_licence(now)
        except LicenceError as error:
            return Verdict(None, error)
        warning = warning_days(licence, now)
        if warning and warning != self._warned:
            log.warning("licence.ends_soon", ends=licence.ends_at.isoformat(), days=licence.days_left(now))
        self._warned = warning
        return Verdict(licence, None)


_gate = _Gate()


def warning_days(licence: Licence, now: datetime) -> int:
    """Which of the warnings (1, 7 or 30 days ahead) is due; 0 for none."""
    return next((days for days in WARN_AT_DAYS if licence.days_left(now) < days), 0)


def verdict() -> Verdict:
    """What is known of the licence, at most ``LICENSE_LOOK_AGAIN_S`` old."""
    return _gate.verdict()


def look_again() -> None:
    """The next question reads the licence file again."""
    _gate.forget()


def require(features: Feature = NONE) -> None:
    """Raises LicenceError if the product or one of these modules may not run now."""
    licence, error = _gate.verdict()
    if error is not None:
        raise error
    assert licence is not None
    missing = features & ~licence.features
    if missing:
        names = ", ".join(feature.name or "" for feature in Feature if feature in missing)
        raise NotLicensed(f"the licence does not include {names}", where=str(settings.LICENSE_FILE))


def watch(features: Feature) -> None:
    """Require now, and from then on: a process whose licence ends is told to drain and end (SIGTERM).

    SIGHUP reads the licence again at once. To be called in the main thread.
    """
    require(features)
    told = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: told.set())

    def look() -> None:
        while True:
            if told.wait(settings.LICENSE_LOOK_AGAIN_S):
                told.clear()
                look_again()
                log.info("licence.read_again")
            try:
                require(features)
            except LicenceError as error:
                log.error("licence.refused", reason=str(error), code=error.code)
                _gate.failure = error
                os.kill(os.getpid(), signal.SIGTERM)
                return

    threading.Thread(target=look, name="licence", daemon=True).start()


def ended_by() -> LicenceError | None:
    """Why the licence ended this process; None if it did not."""
    return _gate.failure
