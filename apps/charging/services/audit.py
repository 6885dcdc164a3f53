"""The proof that the books are right: stored figures equal the sums of entries and reservations.

Every comparison is one statement over a range of ids, so each range is seen at one instant and the audit can run
while requests are charged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import Count, Exists, OuterRef

from apps.charging.models import ChargingSession, FailedRequest, StoredAnswer
from apps.rating.selectors.views import TENANTS
from apps.subscribers.selectors import SUBSCRIBERS

IDS_A_STATEMENT = 20_000
OVERDUE = timedelta(hours=1)
"""How long after its supervision time a session should have ended at the latest."""


class Difference(NamedTuple):
    """A figure that is not what it has to be: where, which, as stored, as proven."""

    where: str
    figure: str
    stored: int
    proven: int

    def __str__(self) -> str:
        return f"{self.where}: {self.figure} is {self.stored}, its rows make {self.proven}"


class Proof(NamedTuple):
    """One comparison: ``sql`` gives the rows that differ, with ids from ``{low}`` to ``{high}`` of ``table``.

    Each row is the fields that ``where`` names, then the stored figures, then the proven ones; ``figure`` names these.
    """

    name: str
    table: str
    where: str
    figure: str
    sql: str


# Only what an open session holds is reserved; a row whose session has ended is a difference of its own.
_HELD = (
    "SELECT r.holder_id, SUM(r.amount) AS amount FROM charging_reservation r"
    " JOIN charging_chargingsession s ON s.id = r.session_id AND s.status = 'open'"
    " WHERE r.holder_id BETWEEN {low} AND {high} GROUP BY r.holder_id"
)
_WHOSE_BALANCE = "account {}, balance {}"
_BALANCES = (
    "SELECT a.number, b.tag, b.%(column)s, COALESCE(e.total, 0)"
    " FROM charging_balance b JOIN charging_account a ON a.id = b.account_id LEFT JOIN ("
    "SELECT balance_id, SUM(%(column)s) AS total FROM charging_ledgerentry"
    " WHERE balance_id BETWEEN {low} AND {high} GROUP BY balance_id) e ON e.balance_id = b.id"
    " WHERE b.id BETWEEN {low} AND {high} AND b.%(column)s <> COALESCE(e.total, 0) ORDER BY b.id"
)
# All balances and all books of a tenant in one statement, so that it sees them at one instant.
_OF_TENANTS = (
    "WHERE {owner}.tenant_id BETWEEN {{low}} AND {{high}} GROUP BY {owner}.tenant_id, {owner}.currency"
)
_DOUBLE_ENTRY = (
    "SELECT t.code, m.currency, SUM(m.balances), -SUM(m.books) FROM ("
    "SELECT a.tenant_id, a.currency, SUM(b.amount_micros) AS balances, 0 AS books FROM charging_balance b"
    f" JOIN charging_account a ON a.id = b.account_id {_OF_TENANTS.format(owner='a')}"
    " UNION ALL SELECT k.tenant_id, k.currency, 0, -SUM(e.amount_micros) FROM"
    " (SELECT book_id, SUM(amount_micros) AS amount_micros FROM charging_ledgerentry GROUP BY book_id) e"
    f" JOIN charging_ledgerbook k ON k.id = e.book_id {_OF_TENANTS.format(owner='k')}"
    " UNION ALL SELECT k.tenant_id, k.currency, 0, -SUM(p.amount_micros) FROM charging_bookposting p"
    f" JOIN charging_ledgerbook k ON k.id = p.debit_id {_OF_TENANTS.format(owner='k')}"
    " UNION ALL SELECT k.tenant_id, k.currency, 0, SUM(p.amount_micros) FROM charging_bookposting p"
    f" JOIN charging_ledgerbook k ON k.id = p.credit_id {_OF_TENANTS.format(owner='k')}"
    f") m JOIN {TENANTS} t ON t.id = m.tenant_id GROUP BY t.code, m.currency"
    " HAVING SUM(m.balances) + SUM(m.books) <> 0 ORDER BY t.code, m.currency"
)
_WHOSE_COUNTER = "subscriber {}, free units of {} in {}-{:02}"
PROOFS: list[Proof] = [
    Proof(
        "balances in money",
        "charging_balance",
        _WHOSE_BALANCE,
        "amount in micro-units",
        _BALANCES % {"column": "amount_micros"},
    ),
    Proof("double entry", f"{TENANTS} t", "tenant {}, {}", "money in all balances", _DOUBLE_ENTRY),
    Proof("balances in units", "charging_balance", _WHOSE_BALANCE, "units", _BALANCES % {"column": "units"}),
    Proof(
        "reserved of balances",
        "charging_balance",
        _WHOSE_BALANCE,
        "reserved",
        "SELECT a.number, b.tag, b.reserved_micros + b.reserved_units, COALESCE(h.amount, 0)"
        f" FROM charging_balance b JOIN charging_account a ON a.id = b.account_id LEFT JOIN ({_HELD}) h"
        " ON h.holder_id = b.id WHERE b.id BETWEEN {low} AND {high}"
        " AND b.reserved_micros + b.reserved_units <> COALESCE(h.amount, 0) ORDER BY b.id",
    ),
    Proof(
        "balances below zero",
        "charging_balance",
        _WHOSE_BALANCE,
        "amount without reserved",
        "SELECT a.number, b.tag, b.amount_micros - b.reserved_micros,"
        " -b.overdraft_micros FROM charging_balance b JOIN charging_account a ON a.id = b.account_id"
        " WHERE b.id BETWEEN {low} AND {high} AND (b.amount_micros - b.reserved_micros < -b.overdraft_micros"
        " OR b.units < b.reserved_units) ORDER BY b.id",
    ),
    Proof(
        "free units used online",
        "charging_allowancecounter",
        _WHOSE_COUNTER,
        "units used online",
        "SELECT s.number, c.origin, c.year, c.month, c.used_online, COALESCE(e.total, 0)"
        f" FROM charging_allowancecounter c JOIN {SUBSCRIBERS} s ON s.id = c.subscriber_id LEFT JOIN ("
        "SELECT counter_id, SUM(units) AS total FROM charging_allowanceentry"
        " WHERE counter_id BETWEEN {low} AND {high} GROUP BY counter_id) e ON e.counter_id = c.id"
        " WHERE c.id BETWEEN {low} AND {high}"
        " AND (c.used_online <> COALESCE(e.total, 0) OR c.used < c.used_online) ORDER BY c.id",
    ),
    Proof(
        "reserved of free units",
        "charging_allowancecounter",
        _WHOSE_COUNTER,
        "reserved",
        "SELECT s.number, c.origin, c.year, c.month, c.reserved, COALESCE(h.amount, 0)"
        f" FROM charging_allowancecounter c JOIN {SUBSCRIBERS} s ON s.id = c.subscriber_id LEFT JOIN ("
        + _HELD.replace("BETWEEN {low} AND {high}", "BETWEEN -{high} AND -{low}")
        + ") h ON h.holder_id = -c.id WHERE c.id BETWEEN {low} AND {high}"
        " AND c.reserved <> COALESCE(h.amount, 0) ORDER BY c.id",
    ),
    Proof(
        "reservations without an open session",
        "charging_reservation",
        "reservation {} of session {}",
        "amount held",
        "SELECT r.id, r.session_id, r.amount, 0 FROM charging_reservation r"
        " LEFT JOIN charging_chargingsession s ON s.id = r.session_id"
        " WHERE r.id BETWEEN {low} AND {high} AND (s.id IS NULL OR s.status <> 'open') ORDER BY r.id",
    ),
    Proof(
        "reservations of balances and free units",
        "charging_reservation",
        "reservation {} of session {}",
        "holders",
        "SELECT r.id, r.session_id, 1, 0 FROM charging_reservation r"
        " LEFT JOIN charging_balance b ON b.id = r.holder_id LEFT JOIN charging_allowancecounter c"
        " ON c.id = -r.holder_id WHERE r.id BETWEEN {low} AND {high} AND b.id IS NULL AND c.id IS NULL ORDER BY r.id",
    ),
    Proof(
        "triggers that fired",
        "charging_triggerfiring",
        "firing {} of trigger {} on account {}",
        "movements of the account that did it",
        "SELECT f.id, t.name, a.number, 1, 0 FROM charging_triggerfiring f"
        " JOIN charging_balancetrigger t ON t.id = f.trigger_id JOIN charging_account a ON a.id = f.account_id"
        " WHERE f.id BETWEEN {low} AND {high}"
        " AND f.kind IN ('below', 'above', 'spent', 'min_balance', 'max_balance', 'min_balance_counter',"
        " 'max_balance_counter') AND NOT EXISTS (SELECT 1 FROM charging_ledgerentry e"
        " JOIN charging_balance b ON b.id = e.balance_id WHERE e.cause = f.cause AND b.account_id = f.account_id)"
        " ORDER BY f.id",
    ),
]
"""In the order in which they are gone through. Rooms above add theirs with :func:`add_proof`."""


def add_proof(proof: Proof) -> None:
    """Have every audit go through ``proof`` as well; for rooms above, when they are set up."""
    if proof not in PROOFS:
        PROOFS.append(proof)


def differences(report: Callable[[str, int, int], object] | None = None) -> Iterator[Difference]:
    """Every difference there is, proof after proof; ``report`` is told (proof, ids done, ids in all)."""
    for proof in PROOFS:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COALESCE(MIN(id), 1), COALESCE(MAX(id), 0) FROM {proof.table}")
            first, last = cursor.fetchone()
        total = last - first + 1
        if report is not None and not total:
            report(proof.name, 0, 0)
        for low in range(first, last + 1, IDS_A_STATEMENT):
            high = min(low + IDS_A_STATEMENT - 1, last)
            with connection.cursor() as cursor:
                cursor.execute(proof.sql.replace("{low}", str(low)).replace("{high}", str(high)))
                rows = cursor.fetchall()
            for *labels, stored, proven in rows:
                yield Difference(proof.where.format(*labels), proof.figure, int(stored), int(proven))
            if report is not None:
                report(proof.name, high - first + 1, total)


def loose_ends(now: datetime) -> Iterator[str]:
    """What an operator has to look at although the books are right: a sentence each.

    Sessions that should have ended and still hold something, and requests that ended in an error of ours, unless
    staff settled them or a repeat was answered.
    """
    overdue = ChargingSession.objects.filter(
        status=ChargingSession.Status.OPEN, due_at__lt=now - OVERDUE, expires_at__lt=now - OVERDUE
    )
    for session in overdue.annotate(held=Count("reservations")).order_by("due_at").iterator():
        yield (
            f"session {session.session_id}: it should have ended at {session.expires_at:%Y-%m-%d %H:%M:%S} UTC,"
            f" and holds {session.held} reservations"
        )
    answered = StoredAnswer.objects.filter(key=OuterRef("key"))
    for failed in FailedRequest.objects.filter(~Exists(answered), settled_at=None).order_by("pk").iterator():
        yield (
            f"{failed} ({failed.operation}, {failed.at:%Y-%m-%d %H:%M:%S} UTC): it was not carried out,"
            f" {failed.error}"
        )
