"""Turns what happened to accounts and subscribers into orders for the gateways of their open sessions.

A top-up (also of a balance that others share), a change of plan or a trigger that says so re-authorises (RAR, RFC 8506
5.5): the client asks again and gets what is possible now. A suspension, a termination or an account that is barred or
removed aborts (ASR, RFC 6733 8.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet

from apps.charging.domain.published import ACCOUNT_BARRED, ACCOUNT_CREDITED, TRIGGER_FIRED
from apps.charging.models import BalanceTrigger, ChargingSession, Payer
from apps.charging.selectors import sharers_of
from apps.charging.services.session_orders import order_abort, order_reauthorisation
from apps.diameter.models import TariffChange
from apps.events.models import Event
from apps.events.services.consuming import Consumer, deliver, register
from apps.rating.domain.published import TARIFF_PUBLISHED
from apps.subscribers.domain.published import BUNDLE_CHANGED, PLAN_CHANGED, STATUS_CHANGED
from apps.subscribers.models import Subscriber

log = structlog.get_logger(__name__)


class _Asked(NamedTuple):
    """What an event asks for: orders for the sessions of an account, or of one of its subscribers."""

    event_id: int
    word: str
    aborts: bool
    account_id: int | None = None
    subscriber_id: int | None = None
    balance_id: int | None = None
    """Others that share it are meant too."""


def deliver_to_gateways(now: datetime) -> None:
    """Order what new events ask for, and the next portion for a new tariff; every server process does, each second."""
    deliver(now, [GATEWAYS])
    reauthorise_for_tariff(now)


def order_what_events_ask(events: Sequence[Event], now: datetime) -> int:
    """Write the orders; returns how many. An event orders once for each session, however often it is handled."""
    asked = [one for event in events if (one := _asked_by(event)) is not None]
    for event in events:
        new_prices = event.kind == TARIFF_PUBLISHED.name and event.body["prices_changed"]
        if new_prices and settings.DIAMETER_TARIFF_REAUTHORISATIONS_PER_S > 0:
            TariffChange.objects.get_or_create(
                version_id=event.body["version_id"],
                defaults={"in_force_at": event.at + timedelta(seconds=settings.RATING_TARIFF_REFRESH_S)},
            )
    if not asked:
        return 0
    payers = dict(
        Payer.objects.filter(
            subscriber_id__in={one.subscriber_id for one in asked if one.subscriber_id is not None}
        ).values_list("subscriber_id", "account_id")
    )
    sharers = sharers_of({one.balance_id for one in asked if one.balance_id is not None})
    whose = {
        one.event_id: {
            one.account_id or payers.get(one.subscriber_id or 0, 0),
            *sharers.get(one.balance_id or 0, ()),
        }
        for one in asked
    }
    sessions = _open_sessions(set().union(*whose.values()))
    ordered = 0
    for one in asked:
        order = order_abort if one.aborts else order_reauthorisation
        for account_id in sorted(whose[one.event_id]):
            for session in sessions.get(account_id, ()):
                if one.subscriber_id in (None, session.subscriber_id):
                    ordered += order(session, f"{one.word}:{one.event_id}:{session.pk}", now) is not None
    if ordered:
        log.info("diameter.orders_written", orders=ordered)
    return ordered


def _asked_by(event: Event) -> _Asked | None:
    body = event.body
    account_id, subscriber_id = body.get("account_id"), body.get("subscriber_id")
    if event.kind == ACCOUNT_CREDITED.name:
        return _Asked(event.pk, "top-up", False, account_id, balance_id=body["balance_id"])
    if event.kind == ACCOUNT_BARRED.name:
        return _Asked(event.pk, f"bar-{body['reason']}", True, account_id)
    if event.kind == TRIGGER_FIRED.name and body["action"] == BalanceTrigger.Action.REAUTHORISE:
        return _Asked(event.pk, "threshold", False, account_id)
    if event.kind == STATUS_CHANGED.name and body["status"] != Subscriber.Status.ACTIVE:
        return _Asked(event.pk, "barred", True, None, subscriber_id)
    if event.kind in (PLAN_CHANGED.name, BUNDLE_CHANGED.name):
        return _Asked(
            event.pk, "plan" if event.kind == PLAN_CHANGED.name else "bundle", False, None, subscriber_id
        )
    return None


def _open_sessions(account_ids: Iterable[int]) -> dict[int, list[ChargingSession]]:
    """Sessions with a gateway, by account."""
    found: dict[int, list[ChargingSession]] = defaultdict(list)
    for session in _with_a_gateway(Q(account_id__in=account_ids)):
        found[session.account_id].append(session)
    return found


def _with_a_gateway(which: Q) -> QuerySet[ChargingSession]:
    open_ones = ChargingSession.objects.filter(which, status=ChargingSession.Status.OPEN)
    return open_ones.exclude(peer="").order_by("id")


def reauthorise_for_tariff(now: datetime) -> int:
    """Re-authorise the next portion of the sessions with quotas of an older tariff; returns how many were ordered.

    All at once would be a storm; validity brings every session to ask again in any case, so only those are told whose
    turn comes before. What several processes order is ordered once.
    """
    at_once = settings.DIAMETER_TARIFF_REAUTHORISATIONS_PER_S
    change = TariffChange.objects.order_by("-version_id").first()
    # Every process charges by the new tariff once it is in force.
    if change is None or at_once <= 0 or now < change.in_force_at:
        return 0
    sessions = list(
        _with_a_gateway(Q(id__gt=change.last_session_id, updated_at__lt=change.in_force_at))[:at_once]
    )
    ordered = sum(
        order_reauthorisation(session, f"tariff:{change.version_id}:{session.pk}", now) is not None
        for session in sessions
    )
    if len(sessions) < at_once:
        TariffChange.objects.filter(version_id__lte=change.version_id).delete()
    else:
        TariffChange.objects.filter(pk=change.pk, last_session_id__lt=sessions[-1].pk).update(
            last_session_id=sessions[-1].pk
        )
    return ordered


GATEWAYS = Consumer(
    "gateways",
    (
        ACCOUNT_CREDITED,
        ACCOUNT_BARRED,
        TRIGGER_FIRED,
        STATUS_CHANGED,
        PLAN_CHANGED,
        BUNDLE_CHANGED,
        TARIFF_PUBLISHED,
    ),
    order_what_events_ask,
    # Orders expire: what happens while no server runs is ordered once one does.
    by_itself=True,
)


def register_consumer() -> None:
    register(GATEWAYS)
