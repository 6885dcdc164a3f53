"""Derived charging of batches: the rows in force, the accounts that runs are charged to, and what they are debited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection

from apps.charging.domain.modes import ChargingMode
from apps.charging.domain.usage_book import UsageBook
from apps.charging.models import Account
from apps.charging.selectors import ACCOUNTS
from apps.charging.services.usage import save_usage_book
from apps.mediation.domain.checks import CheckedRecord
from apps.mediation.domain.derived import ChargerRow, DerivedChargers
from apps.mediation.domain.run_charges import RecordRuns, RunAccount, RunCharge
from apps.mediation.models import DerivedCharger, Source
from apps.mediation.models import RunAccount as RunAccountRow
from apps.rating.domain import Rater
from apps.rating.selectors.tariffs import looked_at
from apps.storage.reads import select_in


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
    """The runs of one batch besides the default one.

    ``before_reading`` is called before the database is asked during the batch.
    """

    def __init__(
        self,
        chargers: DerivedChargers,
        rater: Rater,
        book: UsageBook,
        before_reading: Callable[[], None],
    ) -> None:
        self._before_reading = before_reading
        self._books: dict[str, UsageBook] = {}
        self._accounts: dict[tuple[str, str], RunAccount | None] = {}
        payers = {holding.line.account_id for holdings in book.holdings.values() for holding in holdings}
        numbers = dict(
            select_in(f"SELECT a.id, a.number FROM {ACCOUNTS} a WHERE a.id IN ({{values}})", payers)
        )
        sources = dict(Source.objects.values_list("pk", "code"))
        self._runs = RecordRuns(chargers, rater, book, numbers, sources, self._account_of)
        self._charged: set[int] = set()

    def rate(
        self, record: CheckedRecord, at: datetime, mode: ChargingMode | None = None
    ) -> Sequence[RunCharge]:
        """What its runs charge for the record (:meth:`RecordRuns.rate`); nothing is charged yet."""
        return self._runs.rate(record, at, mode)

    def charge(self, charge: RunCharge) -> None:
        """The charge holds."""
        self._charged.add(charge.account.account_id)
        if charge.debits and charge.rated.cost_micros:
            book = self._books.get(charge.run)
            if book is None:
                book = self._books[charge.run] = UsageBook({}, {}, {}, run=charge.run)
            account = charge.account
            book.debit(account.account_id, account.zone, charge.usage.start, charge.rated.cost_micros)

    def save(self, cause: str) -> None:
        """Write what was debited, and which accounts were charged, at the end of the batch's transaction."""
        for _, book in sorted(self._books.items()):
            save_usage_book(book, cause)
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
