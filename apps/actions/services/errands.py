"""Errands: actions that leave the database, published as events, kept as rows, tried until they succeed or fail.

An attempt is made outside of any transaction. A process that dies behind it makes another one: receivers tell repeats
by their Idempotency-Key.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F

from apps.actions.domain.destinations import NotAllowed
from apps.actions.models import Errand
from apps.actions.services.calling import CallFailed, post
from apps.charging.domain.balance_actions import ActionKind
from apps.charging.domain.published import ERRAND_DUE
from apps.charging.models import Balance, LedgerEntry
from apps.events.models import Event
from apps.events.services.consuming import Consumer
from apps.events.services.consuming import register as register_consumer
from apps.kernel.errors import Conflict
from apps.kernel.money import format_micros

log = logging.getLogger(__name__)

AT_ONCE = 100
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10, 3_600
Attempt = Callable[[], object]


class NeverPossible(Exception):
    """No attempt at it can succeed."""


def take_errands(events: Sequence[Event], now: datetime) -> None:
    """Keep each errand once; beat's next tick makes the first attempt."""
    Errand.objects.bulk_create(
        [
            Errand(
                account_id=event.body["account_id"],
                key=event.body["key"],
                number=event.body["number"],
                kind=event.body["action"],
                parameters=event.body["parameters"],
                at=event.at,
                retry_at=now,
            )
            for event in events
        ],
        batch_size=1_000,
        ignore_conflicts=True,
    )


ERRANDS = Consumer("action-errands", (ERRAND_DUE,), take_errands)


def register() -> None:
    """Have errands kept as they are published."""
    register_consumer(ERRANDS)


def run_errands(now: datetime) -> int:
    """Attempt the errands whose time has come, once each; how many succeeded."""
    done = 0
    with ThreadPoolExecutor(max_workers=settings.ACTIONS_CALLS_AT_ONCE) as pool:
        while claimed := _claim(now):
            attempts = [_attempt_of(errand) for errand in claimed]
            for errand, error in zip(claimed, pool.map(_made, attempts), strict=True):
                done += _finish(errand, error, now)
    return done


def _claim(now: datetime) -> list[Errand]:
    """Take errands for this process: until the lease is over no other one attempts them."""
    lease = now + timedelta(seconds=60 + 2 * settings.ACTIONS_CALL_TIMEOUT_S * AT_ONCE)
    waiting = Errand.objects.filter(status=Errand.Status.WAITING, retry_at__lte=now).order_by(
        "retry_at", "pk"
    )
    claimed = []
    for errand in waiting.select_related("account__tenant")[:AT_ONCE]:
        mine = Errand.objects.filter(pk=errand.pk, status=errand.status, retry_at=errand.retry_at).update(
            retry_at=lease, attempts=F("attempts") + 1
        )
        if mine:
            errand.attempts += 1
            errand.retry_at = lease
            claimed.append(errand)
    return claimed


def _made(attempt: Attempt) -> Exception | None:
    """Runs in a thread of the pool, where no database is used."""
    try:
        attempt()
    except Exception as error:
        return error
    return None


def _finish(errand: Errand, error: Exception | None, now: datetime) -> bool:
    changes: dict[str, Any]
    if error is None:
        changes = {"status": Errand.Status.DONE, "retry_at": None, "done_at": now, "result": errand.result}
    else:
        final = (
            isinstance(error, (NeverPossible, NotAllowed))
            or errand.attempts >= settings.ACTIONS_CALL_ATTEMPTS
        )
        message = str(error) if isinstance(error, (CallFailed, NeverPossible, NotAllowed)) else repr(error)
        changes = {"result": message[:300]}
        if final:
            changes |= {"status": Errand.Status.FAILED, "retry_at": None, "done_at": now}
            log.error("errand %s of account %s failed for good: %s", errand, errand.account, message)
        else:
            changes["retry_at"] = now + pause_after(errand.attempts)
    Errand.objects.filter(pk=errand.pk, status=Errand.Status.WAITING, retry_at=errand.retry_at).update(
        **changes
    )
    return error is None


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts: 10 s, doubling to an hour."""
    return timedelta(seconds=min(_FIRST_PAUSE_S * 2 ** (attempts - 1), _LONGEST_PAUSE_S))


def _attempt_of(errand: Errand) -> Attempt:
    """What is to be done; all that it needs of the database is read here."""
    maker = _MAKERS.get(errand.kind, _impossible)
    return maker(errand)


def _call(errand: Errand) -> Attempt:
    body = json.dumps(told(errand), separators=(",", ":")).encode()
    return lambda: post(errand.parameters, body, f"{errand.key}:{errand.number}:{errand.account_id}")


def told(errand: Errand) -> Mapping[str, Any]:
    """What a call and a mail say of the account: as it is at the attempt."""
    account = errand.account
    return {
        "cause": errand.key,
        "action": errand.kind,
        "at": errand.at.isoformat(),
        "account": {
            "number": account.number,
            "tenant": account.tenant.code,
            "mode": account.mode,
            "currency": account.currency,
            "allow_negative": account.allow_negative,
            "barred": hasattr(account, "bar"),
            "closed": account.closed_at is not None,
            "balances": [_balance(balance) for balance in account.balances.order_by("pk")],
        },
    }


def _balance(balance: Balance) -> Mapping[str, Any]:
    is_money = balance.kind == Balance.Kind.MONETARY
    return {
        "id": balance.tag,
        "type": f"*{balance.kind}",
        "value": format_micros(balance.amount_micros) if is_money else balance.units,
        "reserved": format_micros(balance.reserved_micros) if is_money else balance.reserved_units,
        "weight": balance.weight,
        "expires_at": balance.expires_at.isoformat() if balance.expires_at else None,
        "disabled": balance.disabled,
    }


def _mail(errand: Errand) -> Attempt:
    account = errand.account
    message = EmailMessage(
        subject=f"Account {account.number}: action {errand.key}",
        body=json.dumps(told(errand), indent=2),
        to=[address.strip() for address in errand.parameters.split(";") if address.strip()],
        headers={"Message-ID": f"<{errand.pk}.{errand.number}@bss-actions>"},
    )

    def send() -> None:
        try:
            message.send()
        except Exception as error:
            raise CallFailed(f"{type(error).__name__}: {error}") from error

    return send


def _log(errand: Errand) -> Attempt:
    text = f"account {errand.account} ({errand.key}): {errand.parameters or json.dumps(told(errand))}"
    return lambda: log.info("%s", text)


def _cdrlog(errand: Errand) -> Attempt:
    """The record is the errand itself: what the group moved, balance by balance, from the ledger."""
    entries = LedgerEntry.objects.filter(
        balance__account=errand.account_id, cause__startswith=f"action:{errand.key}:"
    ).select_related("balance")
    moved = [
        f"{format_micros(entry.amount_micros)} {errand.account.currency} {entry.balance.tag}"
        if entry.balance.kind == Balance.Kind.MONETARY
        else f"{entry.units} {entry.balance.kind} {entry.balance.tag}"
        for entry in entries.order_by("pk")
    ]
    errand.result = ("; ".join(moved) or "nothing moved")[:300]
    return lambda: log.info("account %s (%s): %s", errand.account, errand.key, errand.result)


def _impossible(errand: Errand) -> Attempt:
    def fail() -> None:
        raise NeverPossible(
            f"{errand.kind} needs statistics of CDRs by destination, which the product has not yet"
        )

    return fail


_MAKERS: Mapping[str, Callable[[Errand], Attempt]] = {
    ActionKind.CALL_URL: _call,
    ActionKind.CALL_URL_ASYNC: _call,
    ActionKind.MAIL_ASYNC: _mail,
    ActionKind.LOG: _log,
    ActionKind.CDRLOG: _cdrlog,
}


def resend(errand: Errand, now: datetime) -> None:
    """Attempt a failed errand again, from the first pause on. Raises Conflict unless it failed or was dropped."""
    ended = (Errand.Status.FAILED, Errand.Status.DROPPED)
    if not Errand.objects.filter(pk=errand.pk, status__in=ended).update(
        status=Errand.Status.WAITING, retry_at=now, attempts=0, done_at=None
    ):
        raise Conflict(f"{errand} has not failed; there is nothing to send again", code="not_failed")


def drop(errand: Errand, now: datetime) -> None:
    """Give an errand up. Raises Conflict if it is done or dropped already."""
    open_ones = (Errand.Status.FAILED, Errand.Status.WAITING)
    if not Errand.objects.filter(pk=errand.pk, status__in=open_ones).update(
        status=Errand.Status.DROPPED, retry_at=None, done_at=now
    ):
        raise Conflict(f"{errand} is {Errand.Status(errand.status).label.lower()} already", code="ended")


def forget_done(now: datetime) -> int:
    """Delete errands that were done longer ago than is kept; how many."""
    before = now - timedelta(days=settings.ACTIONS_ERRANDS_KEPT_DAYS)
    kept = Errand.objects.filter(status__in=(Errand.Status.DONE, Errand.Status.DROPPED), done_at__lt=before)
    return kept.delete()[0]
