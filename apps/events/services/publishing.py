"""Write events in the transaction that makes them true."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.transaction import TransactionManagementError

from apps.events.domain.kinds import NewEvent
from apps.storage.bulk import database_instant
from apps.storage.upserts import Script, insert_few

COLUMNS = ("kind", "version", "tenant", "subject", "body", "at")
_FORMS = "pitptp"
_AT_ONCE = 5_000
_written = json.JSONEncoder(separators=(",", ":")).encode


def publish(events: Iterable[NewEvent], script: Script | None = None) -> None:
    """Write the events; they are handed over once the transaction has committed. With ``script``, as it is run.

    Must be called after the subject's row is locked: only so are ids of one subject in the order of its commits.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    # Many events of one call happened at the same instant.
    instants: dict[datetime, str] = {}
    rows = [
        (
            event.kind.name,
            event.kind.version,
            event.tenant,
            event.subject,
            _written(event.body),
            instants.get(event.at) or instants.setdefault(event.at, database_instant(event.at)),
        )
        for event in events
    ]
    if rows and not connection.in_atomic_block and connection.get_autocommit():
        raise TransactionManagementError("an event is published in the transaction that makes it true")
    for first in range(0, len(rows), _AT_ONCE):
        insert_few(connection, "events_event", COLUMNS, rows[first : first + _AT_ONCE], _FORMS, script)
