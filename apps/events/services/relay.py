"""Number events in the order of their commits: the load sequence of decision 3, for everything that happens."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from apps.events.models import Event, Mark
from apps.storage.retry import retrying
from apps.storage.upserts import update_few

RELAY = "*relay"
"""The mark whose number is the last one given."""
AT_ONCE = 5_000


def relay() -> int:
    """Number what has been committed since; how many events that were.

    Any process may call it at any time. Numbers are given under the lock of one row and appear together at the commit,
    so no reader sees a number before all lower ones. An event that commits late gets a later number, with any id;
    within a subject ids are in order, and so are numbers.
    """
    numbered = 0
    while Event.objects.filter(number=None).exists():
        numbered += retrying(_number_some, repeatable=True)
    return numbered


@transaction.atomic
def _number_some() -> int:
    mark = _locked()
    ids = list(Event.objects.filter(number=None).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    numbers = [(pk, mark.number + place) for place, pk in enumerate(ids, start=1)]
    update_few(connections[DEFAULT_DB_ALIAS], "events_event", ("number",), numbers)
    mark.number += len(ids)
    mark.save(update_fields=["number"])
    return len(ids)


def newest_number() -> int:
    """The last number given."""
    return Mark.objects.filter(pk=RELAY).values_list("number", flat=True).first() or 0


def _locked() -> Mark:
    mark = Mark.objects.select_for_update().filter(pk=RELAY).first()
    if mark is None:
        Mark.objects.bulk_create([Mark(name=RELAY)], ignore_conflicts=True)
        mark = Mark.objects.select_for_update().get(pk=RELAY)
    return mark
