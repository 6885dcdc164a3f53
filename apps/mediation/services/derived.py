"""Derived charging of batches: the rows in force, the accounts that runs are charged to, and what they are debited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection

from apps.charging.domain.modes import ChargingMode
from apps.charging.domain.sessions import LONGEST_SESSION_ID
from apps.charging.domain.usage_book import ChargedTo, UsageBook
from apps.charging.models import Account
from apps.charging.selectors import ACCOUNTS
from apps.charging.services.usage import save_usage_book
from apps.mediation.domain.checks import CheckedRecord
from apps.mediation.domain.derived import ChargerRow, DerivedChargers
from apps.mediation.domain.run_charges import RecordRuns, RunAccount, RunCharge, request_type_of, session_of
from apps.mediation.models import DerivedCharger, SessionRecord, Source
from apps.mediation.models import RunAccount as RunAccountRow
from apps.rating.domain import Rater
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.selectors.tariffs import looked_at
from apps.storage.bulk import database_instant, insert_rows
from apps.storage.reads import select_in

SESSION_COLUMNS = (
    *("source_id", "record_id", "account_id", "subscriber_id", "service_id", "start", "usage"),
    *("session_ref", "taken_at", "due_at", "state", "event_cause", "difference_micros", "settled_by"),
)


@dataclass
class _Known:
    """The rows as this process last read them: whenever it looks for a newer tariff, it looks at them too."""

    database: object = None
    looked_at: float = -1.0
    chargers: DerivedChargers = field(default_factory=lambda: DerivedChargers(()))


_known = _Known()


def derived_chargers() -> DerivedChargers:
    """The derived chargers, at most RATING_TARIFF_REFRESH_S old; most operators have none."""
    key = (connection.settings_dict["NAME"], looked_at())
    if (_known.database, _known.looked_at) != key:
        _known.chargers = DerivedChargers(charger_rows())
        _known.database, _known.looked_at = key
    return _known.chargers


def charger_rows() -> Iterable[ChargerRow]:
    """The rows of the table in their order."""
    return map(
        ChargerRow._make,
        DerivedCharger.objects.order_by("pk").values_list(
            "direction",
            "tenant",
            "category",
            "account",
            "subject",
            "destination_ids",
            "run",
            "run_filter",
            "templates",
        ),
    )


class BatchRuns:
    """What of one batch is not charged as usual: runs besides the default one, and records with a mode of their own.

    ``before_reading`` is called before the database is asked during the batch. ``modes``: records may name theirs.
    """

    def __init__(
        self,
        chargers: DerivedChargers,
        rater: Rater,
        book: UsageBook,
        before_reading: Callable[[], None],
        *,
        modes: bool,
    ) -> None:
        self._before_reading, self._modes = before_reading, modes
        self._books: dict[str, UsageBook] = {}
        self._accounts: dict[tuple[str, str], RunAccount | None] = {}
        payers = {holding.line.account_id for holdings in book.holdings.values() for holding in holdings}
        numbers = dict(
            select_in(f"SELECT a.id, a.number FROM {ACCOUNTS} a WHERE a.id IN ({{values}})", payers)
        )
        sources = dict(Source.objects.values_list("pk", "code"))
        self._runs = RecordRuns(chargers, rater, book, numbers, sources, self._account_of)
        self._charged: set[int] = set()
        self._of_sessions: list[tuple[Any, ...]] = []

    def rate(
        self, record: CheckedRecord, at: datetime
    ) -> tuple[tuple[ChargedTo, RunCharge] | None, Sequence[RunCharge]]:
        """The record's default run, if it is not charged as usual, and its other runs; nothing is charged yet.

        Raises BssError if one of them cannot be charged.
        """
        mode = self._runs.mode_of(record, at, request_type_of(record) if self._modes else "")
        charges = self._runs.rate(record, at, mode)
        return (None if mode is None else self._runs.default_charge(record, at, mode)), charges

    def charge(self, record: CheckedRecord, charged_to: ChargedTo, charge: RunCharge) -> None:
        """The charge holds."""
        if charge.mode == ChargingMode.PREPAID:
            self._of_sessions.append(
                (
                    *(record[2], record[3], charge.account.account_id, charged_to[0], charged_to[2]),
                    *(database_instant(charge.usage.start), charge.usage.amount),
                    session_of(record)[:LONGEST_SESSION_ID],
                )
            )
        if charge.account.account_id != charged_to[1]:
            self._charged.add(charge.account.account_id)
        if charge.debits and charge.rated.cost_micros:
            book = self._books.get(charge.run)
            if book is None:
                book = self._books[charge.run] = UsageBook({}, {}, {}, run=charge.run)
            account = charge.account
            book.debit(account.account_id, account.zone, charge.usage.start, charge.rated.cost_micros)

    def save(self, cause: str, now_text: str) -> None:
        """Write what was debited, which accounts were charged, and which records are to be compared with sessions.

        At the end of the batch's transaction; ``now_text`` is when it took the records.
        """
        rows = [
            (*row, now_text, now_text, SessionRecord.State.WAITING.value, "", 0, "")
            for row in self._of_sessions
        ]
        insert_rows(SessionRecord._meta.db_table, SESSION_COLUMNS, rows)
        for run, book in sorted(self._books.items()):
            # Debits of the default run in another mode are beside those of the usage book.
            save_usage_book(book, f"{cause}:mode" if run == DEFAULT_RUN else cause)
        if not self._charged:
            return
        known = set(RunAccountRow.objects.filter(pk__in=sorted(self._charged)).values_list("pk", flat=True))
        RunAccountRow.objects.bulk_create(
            [RunAccountRow(pk=account_id) for account_id in sorted(self._charged - known)],
            ignore_conflicts=True,
        )

    def _account_of(self, tenant: str, number: str) -> RunAccount | None:
        key = (tenant, number)
        if key not in self._accounts:
            self._before_reading()
            account = (
                Account.objects.filter(tenant__code=tenant, number=number).select_related("tenant").first()
            )
            self._accounts[key] = (
                RunAccount(
                    account.pk, ZoneInfo(account.tenant.time_zone), account.mode == Account.Mode.PREPAID
                )
                if account is not None and account.currency == account.tenant.currency
                else None
            )
        return self._accounts[key]
