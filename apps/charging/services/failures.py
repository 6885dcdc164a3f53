"""Requests that ended in an error of ours: kept for staff to look at, since nothing of them was charged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.charging.domain.requests import OnlineRequest
from apps.charging.models import FailedRequest
from apps.charging.services.rows import instant_text
from apps.storage.upserts import Script, upsert_few

_COLUMNS = ("`key`", "at", "operation", "session_id", "number", "party", "peer", "error")


class Failure(NamedTuple):
    """A request, its key among the stored answers, and what went wrong."""

    key: str
    request: OnlineRequest
    error: Exception


def write_failures(
    connection: BaseDatabaseWrapper, failures: Sequence[Failure], now: datetime, script: Script | None = None
) -> None:
    """Keep the failures, one row a request; those that fail again have to be looked at again."""
    upsert_few(
        connection,
        "charging_failedrequest",
        (*_COLUMNS, "settled_at"),
        [
            (
                failure.key,
                instant_text(now),
                failure.request.operation.value,
                failure.request.session_id[:1_000],
                failure.request.number,
                (failure.request.msisdn or failure.request.imsi)[:32],
                failure.request.peer[:255],
                f"{type(failure.error).__name__}: {failure.error}"[:500],
                None,
            )
            for failure in failures
        ],
        key=("key",),
        update=("at", "error", "settled_at"),
        forms="ppptittto",
        script=script,
    )


def keep_failure(failure: Failure, now: datetime) -> None:
    """Keep a failure in a transaction of its own, on a connection that commits by itself or does not."""
    connection = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic():
        write_failures(connection, [failure], now)
    if not connection.in_atomic_block and not connection.get_autocommit():
        connection.commit()


def settle_failures(row_ids: Collection[int], now: datetime) -> int:
    """Staff have looked at these; how many were still open."""
    return FailedRequest.objects.filter(pk__in=row_ids, settled_at=None).update(settled_at=now)
