"""The tariff in force, kept compiled in each process and looked after for newer versions."""

from __future__ import annotations

import gc
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings

from apps.kernel.errors import InvalidInput, NotFound
from apps.kernel.periods import as_utc
from apps.rating.domain import source as src
from apps.rating.domain.rater import Rater
from apps.rating.domain.snapshot import decode, encode
from apps.rating.domain.tariff import Tariff, compile_tariff
from apps.rating.models import TariffVersion

_KEPT_VERSIONS = 4


class CurrentTariff(NamedTuple):
    """A compiled tariff version; one batch of work uses one of these from beginning to end."""

    version_id: int
    tariff: Tariff
    rater: Rater


class _InForce:
    """What this process knows of the newest version, and when it looked last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.current: CurrentTariff | None = None
        self.content_hash = ""
        self.looked_at = 0.0


_in_force = _InForce()


def current_tariff() -> CurrentTariff:
    """The newest published tariff; whether there is a newer one is looked up every RATING_TARIFF_REFRESH_S.

    Raises NotFound as long as none was published.
    """
    current = _in_force.current
    if current is not None and time.monotonic() - _in_force.looked_at < settings.RATING_TARIFF_REFRESH_S:
        return current
    with _in_force.lock:
        newest = TariffVersion.objects.order_by("-id").values_list("id", "content_hash").first()
        if newest is None:
            _in_force.current = None
            raise NotFound(
                "no tariff has been published yet; load one with loadtariffplan, or save a price plan",
                code="no_tariff",
            )
        version_id, content_hash = newest
        known = _in_force.current
        if known is None or (known.version_id, _in_force.content_hash) != newest:
            _in_force.current = _compiled(version_id, content_hash)
            _in_force.content_hash = content_hash
            # A tariff is hundreds of thousands of objects that stay: the garbage collector need not visit them.
            gc.collect()
            gc.freeze()
        _in_force.looked_at = time.monotonic()
        assert _in_force.current is not None
        return _in_force.current


def tariff_version(version_id: int) -> CurrentTariff:
    """An earlier tariff, to explain prices made by it. Raises NotFound."""
    content_hash = TariffVersion.objects.filter(pk=version_id).values_list("content_hash", flat=True).first()
    if content_hash is None:
        raise NotFound(f"there is no tariff version {version_id}")
    return _compiled(version_id, content_hash)


def rater_as_of(which: int | datetime | str) -> CurrentTariff:
    """The tariff of a version, the one in force at an instant, or that of a commit of the history (its id).

    It is kept compiled in each process. Raises NotFound, and InvalidInput for a damaged commit.
    """
    if isinstance(which, str):
        return _committed(which)
    return tariff_version(which if isinstance(which, int) else version_at(which))


def _committed(commit_id: str) -> CurrentTariff:
    # Most processes never read the history.
    from apps.rating.selectors.history import committed_source

    version_id, source = committed_source(commit_id)
    return _with_rater(version_id, encode(source).content_hash, lambda: source)


def content_hash_of(source: src.TariffSource) -> str:
    """What names the content of a tariff: the same as of a version with this content."""
    return encode(source).content_hash


def version_as_of(which: int | datetime | str) -> int:
    """The number of the version that :func:`rater_as_of` prices by. Raises NotFound."""
    if isinstance(which, datetime):
        return version_at(which)
    if isinstance(which, str):
        from apps.rating.selectors.history import committed_source

        return committed_source(which)[0]
    if not TariffVersion.objects.filter(pk=which).exists():
        raise NotFound(f"there is no tariff version {which}")
    return which


def version_before(version_id: int) -> int | None:
    """The version before one; None before the first."""
    older = TariffVersion.objects.filter(pk__lt=version_id).order_by("-id")
    return older.values_list("id", flat=True).first()


def version_at(instant: datetime) -> int:
    """The version that was in force at an instant. Raises NotFound."""
    versions = TariffVersion.objects.filter(published_at__lte=as_utc(instant)).order_by(
        "-published_at", "-id"
    )
    version_id = versions.values_list("id", flat=True).first()
    if version_id is None:
        raise NotFound(
            f"no tariff was in force at {instant.isoformat()}; the first version is a later one",
            code="no_tariff",
        )
    return version_id


def read_as_of(text: str) -> int | datetime | str:
    """What :func:`rater_as_of` takes, from text: a version's number, an instant (ISO 8601, UTC unless it says), or a
    commit of the history by at least seven of its digits. Digits alone are a version.

    Raises InvalidInput.
    """
    if text.isascii() and text.isdecimal():
        return int(text)
    if re.fullmatch(r"[0-9a-f]{7,64}", text):
        return text
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(
            f"“{text}” is neither a tariff version such as 17 nor a time such as 2026-11-01T00:00:00Z, "
            "nor a commit of the tariff's history"
        ) from error
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def version_source(version_id: int | None = None) -> src.TariffSource:
    """What the newest version, or an earlier one, was compiled from. Raises NotFound."""
    versions = TariffVersion.objects.order_by("-id")
    if version_id is not None:
        versions = versions.filter(pk=version_id)
    snapshot = versions.values_list("snapshot", flat=True).first()
    if snapshot is None:
        raise NotFound(
            "no tariff has been published yet"
            if version_id is None
            else f"there is no tariff version {version_id}"
        )
    return decode(bytes(snapshot))


def version_terms(version_id: int) -> dict[str, list[dict[str, Any]]]:
    """What a version holds beside prices, by path: products and the folder's other tables. Raises NotFound."""
    terms = TariffVersion.objects.filter(pk=version_id).values_list("terms", flat=True).first()
    if terms is None:
        raise NotFound(f"there is no tariff version {version_id}")
    return dict(terms)


def published_plan(code: str, version_id: int | None = None) -> src.TariffPlan:
    """A tariff plan as the newest version, or an earlier one, holds it. Raises NotFound."""
    for plan in version_source(version_id).tariff_plans:
        if plan.code == code:
            return plan
    raise NotFound(f"there is no tariff plan {code} in this tariff version")


def look_again() -> None:
    """Make the next :func:`current_tariff` of this process look for a newer version at once."""
    _in_force.looked_at = -float(settings.RATING_TARIFF_REFRESH_S)
    _in_force.current = None


def looked_at() -> float:
    """When this process looked last (monotonic): what is kept beside the tariff is read again with it."""
    return _in_force.looked_at


_raters: OrderedDict[str, Rater] = OrderedDict()
"""The Raters used last, by the hash of their content: versions that differ in terms alone share one."""
_raters_lock = threading.Lock()


def _compiled(version_id: int, content_hash: str) -> CurrentTariff:
    versions = TariffVersion.objects.values_list("snapshot", flat=True)
    return _with_rater(version_id, content_hash, lambda: decode(bytes(versions.get(pk=version_id))))


def _with_rater(version_id: int, content_hash: str, read: Callable[[], src.TariffSource]) -> CurrentTariff:
    with _raters_lock:
        rater = _raters.get(content_hash)
        if rater is None:
            rater = Rater(compile_tariff(read()), settings.RATING_FALLBACK_DEPTH)
            _raters[content_hash] = rater
        _raters.move_to_end(content_hash)
        while len(_raters) > _KEPT_VERSIONS:
            _raters.popitem(last=False)
    return CurrentTariff(version_id, rater.tariff, rater)
