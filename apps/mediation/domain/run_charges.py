"""What each run of a record costs, and which account it is charged to; the default run is the usage book's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.lines import Line, ServiceInfo
from apps.charging.domain.modes import NOT_CHARGED, ChargingMode, charging_mode, mode_of_record
from apps.charging.domain.usage_book import ChargedTo, UsageBook
from apps.kernel.errors import BssError, InvalidInput
from apps.mediation.domain.checks import CheckedRecord
from apps.mediation.domain.derived import ANY, OUT, DerivedChargers, Run
from apps.mediation.domain.records import COST_OUT_OF_RANGE, DERIVED_RUN_FAILED, MOST_STORED
from apps.mediation.pb.billing_pb2 import CDR
from apps.rating.domain import Allowance, RatedUsage, Rater, Usage
from apps.rating.domain.allowances import serves
from apps.rating.domain.runs import DEFAULT_RUN
from apps.rating.domain.usage import NOTHING_MATCHED


class RunAccount(NamedTuple):
    """An account that runs may be charged to. ``prepaid``: it holds money, and gets no bill."""

    account_id: int
    zone: ZoneInfo
    prepaid: bool


class RunCharge(NamedTuple):
    """A record as one run charges it.

    ``mode`` is empty for what the account's bill or balance pays; otherwise nothing is owed for the row itself.
    ``debits``: its cost is taken off the account's balance now.
    """

    run: str
    account: RunAccount
    mode: str
    debits: bool
    usage: Usage
    rated: RatedUsage
    raw: bytes


def request_type_of(record: CheckedRecord) -> str:
    """How the record says that it is to be charged; may be empty."""
    request_type: str = CDR.FromString(record[9]).request_type
    return request_type


def session_of(record: CheckedRecord) -> str:
    """The session that the record names; may be empty."""
    session_id: str = CDR.FromString(record[9]).session_id
    return session_id


class RecordRuns:
    """Rates the runs of one batch's records.

    ``numbers`` are those of the accounts that pay for the default run; ``account_of`` finds an account by its tenant
    and number.
    """

    def __init__(
        self,
        chargers: DerivedChargers,
        rater: Rater,
        book: UsageBook,
        numbers: Mapping[int, str],
        sources: Mapping[int, str],
        account_of: Callable[[str, str], RunAccount | None],
    ) -> None:
        self._chargers, self._rater, self._book = chargers, rater, book
        self._numbers, self._sources, self._account_of = numbers, sources, account_of

    def rate(self, record: CheckedRecord, at: datetime, mode: ChargingMode | None) -> Sequence[RunCharge]:
        """The record's runs besides the default one; ``mode`` is its own, if it names one. Nothing is remembered.

        Raises BssError (``derived_run_failed``) if one of them cannot be charged.
        """
        if not self._chargers:
            return ()
        line = self._book.line_of(record[5], at)
        plan = line.plan_at(at) if line is not None else None
        service = self._book.services.get(record[4])
        if line is None or plan is None or service is None or mode is ChargingMode.NONE:
            # The default run says what is wrong.
            return ()
        subject, number = plan.subject, self._numbers.get(line.account_id, "")
        prefix = self._rater.matched_prefix(record[6])
        runs = self._chargers.runs_of(
            line.tenant,
            service.category,
            number,
            subject,
            lambda included, excluded: serves(
                self._rater.tariff, line.tenant, Allowance("", 0, included, excluded), prefix
            ),
        )
        if not runs:
            return ()
        fields = self._fields(record, at, line, service, subject, number, mode)
        found = []
        for run in runs:
            try:
                charge = self._rate(run, fields, record, at, line, service, mode)
            except BssError as error:
                raise BssError(
                    f"run {run.name}: {error.message}", code=DERIVED_RUN_FAILED, where=error.where
                ) from error
            if charge is not None:
                found.append(charge)
        return found

    def default_charge(
        self, record: CheckedRecord, at: datetime, mode: ChargingMode
    ) -> tuple[ChargedTo, RunCharge]:
        """The default run of a record that is charged by ``mode`` instead of as usual, and whose it is.

        Raises as :meth:`UsageBook.rate` does.
        """
        _, _, _, _, service, msisdn, other_party, amount, _, message = record
        priced_as, charged_to = self._book.parties(msisdn, service, at)
        line = self._book.line_of(msisdn, at)
        assert line is not None
        usage = Usage(*priced_as, other_party, at, amount)
        if mode is ChargingMode.NONE:
            rated = RatedUsage(0, 0, 0, 0, 0, NOTHING_MATCHED._replace(destination=ANY))
        elif mode is ChargingMode.PSEUDOPREPAID:
            _, rated = self._book.rate(self._rater, msisdn, service, other_party, at, amount)
        else:
            # A session has taken the free units already, or none are to be.
            rated = self._rater.rate(usage)
        account = RunAccount(line.account_id, line.zone, line.prepaid)
        debits = mode is ChargingMode.PSEUDOPREPAID
        return charged_to, RunCharge(DEFAULT_RUN, account, str(mode), debits, usage, rated, message)

    def mode_of(self, record: CheckedRecord, at: datetime, own: str) -> ChargingMode | None:
        """How the record is charged, if not as usual; ``own`` is what it says itself. Raises InvalidInput."""
        line = self._book.line_of(record[5], at)
        return None if line is None else mode_of_record(own, line.charging_mode, prepaid=line.prepaid)

    def _fields(
        self,
        record: CheckedRecord,
        at: datetime,
        line: Line,
        service: ServiceInfo,
        subject: str,
        number: str,
        mode: ChargingMode | None,
    ) -> dict[str, str]:
        usual = ChargingMode.PSEUDOPREPAID if line.prepaid else ChargingMode.POSTPAID
        return {
            "requesttype": mode or usual,
            "direction": OUT,
            "tenant": line.tenant,
            "category": service.category,
            "account": number,
            "subject": subject,
            "destination": record[6],
            "answertime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "usage": str(record[7]),
            "tor": "*" + service.type_of_record,
            "service": record[4],
            "msisdn": record[5],
            "originid": record[3],
            "source": self._sources.get(record[2], ""),
        }

    def _rate(
        self,
        run: Run,
        fields: Mapping[str, str],
        record: CheckedRecord,
        at: datetime,
        line: Line,
        service: ServiceInfo,
        mode: ChargingMode | None,
    ) -> RunCharge | None:
        replaced = run.derive(fields)
        if replaced is None:
            return None
        tenant = replaced.get("tenant", line.tenant)
        if "account" in replaced or "tenant" in replaced:
            number = replaced.get("account", fields["account"])
            account = self._account_of(tenant, number)
            if account is None:
                raise InvalidInput(f"tenant {tenant} has no account “{number}” that is kept in its currency")
            asked = replaced.get("requesttype", mode or "")
        else:
            # The default run has charged it already.
            account, asked = RunAccount(line.account_id, line.zone, line.prepaid), ChargingMode.RATED
        how = charging_mode(asked)
        usage = Usage(
            tenant,
            replaced.get("category", service.category),
            replaced.get("subject", fields["subject"]),
            service.type_of_record,
            replaced.get("destination", record[6]),
            _instant(replaced["answertime"]) if "answertime" in replaced else at,
            _amount(replaced["usage"]) if "usage" in replaced else record[7],
        )
        if how is ChargingMode.NONE:
            return None
        rated = self._rater.rate(usage)
        if max(rated.cost_micros, rated.billed_usage) > MOST_STORED:
            raise BssError("the price is larger than can be stored", code=COST_OUT_OF_RANGE)
        owed = how not in NOT_CHARGED
        debits = owed and (account.prepaid or how is ChargingMode.PSEUDOPREPAID)
        shown = "" if owed and (account.prepaid or not debits) else str(how)
        # As what it was rated, where the row has no column.
        raw = CDR(category=usage.category, subject=usage.subject).SerializeToString()
        return RunCharge(run.name, account, shown, debits, usage, rated, raw)


def _instant(text: str) -> datetime:
    """An instant as templates write it: ISO 8601 (UTC without a zone) or Unix seconds. Raises InvalidInput."""
    try:
        at = datetime.fromtimestamp(int(text), UTC) if text.isdecimal() else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidInput(f"“{text[:40]}” is not a time like 2026-01-31T23:59:59Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(f"usage “{text[:40]}” is not a whole number of seconds, octets or events")
    return int(text)
