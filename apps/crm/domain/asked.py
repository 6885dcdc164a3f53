"""What operations take: plain values, 0 or empty if not given. Money is in micro-units, times are aware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from apps.crm.domain.subscribers import SubscriberChange, SubscriberFilter


@dataclass(frozen=True, slots=True)
class Nothing:
    """An operation that takes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberRef:
    """A subscriber by id or MSISDN, one of them; a customer's own token may give neither."""

    subscriber_id: int = 0
    msisdn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribersAsked:
    """``msisdn`` finds the one who holds a number now, with any ``wanted``."""

    wanted: SubscriberFilter = field(default_factory=SubscriberFilter)
    msisdn: str = ""
    after_id: int = 0
    limit: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberChangeAsked(SubscriberRef):
    change: SubscriberChange


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCareTokenAsked(SubscriberRef):
    """``hours`` 0 is the setting's."""

    hours: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeResourcesAsked:
    kind: str = ""
    prefix: str = ""
    after: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRef:
    """An account; a customer's own token may leave it away."""

    account_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsAsked:
    """``number`` finds one account, the others narrow the list."""

    number: str = ""
    mode: str = ""
    customer_number: str = ""
    after_id: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRef:
    balance_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAsked(AccountRef):
    """Movements that took effect in ``[start, end)``, of the balance ``tag`` where given."""

    start: datetime | None = None
    end: datetime | None = None
    tag: str = ""
    after_id: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpAsked(AccountRef):
    amount_micros: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustmentAsked(AccountRef):
    amount_micros: int
    note: str
    may_overdraw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageAsked(SubscriberRef):
    """Records that start in ``[start, end)``, after the (start, id) of the last one seen."""

    start: datetime | None = None
    end: datetime | None = None
    service: str = ""
    after: tuple[datetime, int] | None = None
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthAsked(SubscriberRef):
    year: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRef:
    bill_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BillAsked(SubscriberRef):
    """A bill by its id, or a subscriber's for the period that begins in a month (the newest if none is given)."""

    bill_id: int = 0
    year: int = 0
    month: int = 0
    with_document: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BillsAsked(SubscriberRef):
    """Newest first, those with ids below ``before_id``. ``needs_subscriber``: it is refused without one."""

    needs_subscriber: bool = False
    account_id: int = 0
    status: str = ""
    kind: str = ""
    before_id: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReissueAsked(BillRef):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked(BillRef):
    """``again``: issue it again at once, for the same period."""

    reason: str = ""
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAsked(BillRef):
    """``at`` None is now."""

    amount_micros: int
    reference: str
    method: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingAsked(SubscriberRef):
    """For the last closed period, or the one that begins in a month."""

    year: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BillRunAsked:
    cycle: int
    year: int = 0
    month: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRef:
    activity_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivitiesAsked:
    """``type`` 0 and ``status`` None are any."""

    type: int = 0
    status: int | None = None
    before_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRef:
    """A price plan or bundle."""

    product_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsAsked:
    """Days from ``first`` to ``last``, both included; the last 31 by default."""

    first: date | None = None
    last: date | None = None
    service: str = ""
    price_plan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRef:
    notification_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationsAsked:
    unacknowledged_only: bool = False
    after_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedRef:
    record_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspenseAsked:
    reason: str = ""
    state: str = "open"
    after_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionAsked(SuspendedRef):
    """Values in place of those that were read; an empty text takes one back."""

    corrections: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedRefs:
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsAsked:
    """Each text is matched in full."""

    subject: str = ""
    target: str = ""
    outcome: str = ""
    before_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRef:
    batch_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchesAsked:
    before_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherRef:
    """A voucher by its id or serial number, one of them."""

    voucher_id: int = 0
    serial: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VouchersAsked:
    """``serial`` is how a serial number begins."""

    batch_id: int = 0
    status: str = ""
    serial: str = ""
    account_id: int = 0
    msisdn: str = ""
    after_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherChangeAsked:
    """An action (``block``, ``void``, …) on vouchers by their serial numbers, or to a whole batch."""

    action: str
    serials: tuple[str, ...] = ()
    batch_id: int = 0
    expires_at: datetime | None = None
    reason: str = ""

    @property
    def target(self) -> str:
        """What it names, in short."""
        if self.batch_id:
            return f"batch {self.batch_id}"
        return f"{self.serials[0]}{' …' if len(self.serials) > 1 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatchAsked:
    """``amount_micros`` is for money, ``units`` (seconds, octets, messages, events) for the other kinds."""

    name: str
    count: int
    expires_at: datetime | None
    valid_from: datetime | None = None
    kind: str = "monetary"
    amount_micros: int = 0
    units: int = 0
    currency: str = ""
    balance_tag: str = ""
    balance_days: int | None = None
    bundle: str = ""
    bundle_days: int | None = None
    book: str = "cash"
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionAsked(SubscriberRef):
    """Whose account is credited: a subscriber's or MSISDN's, or one given by its id."""

    pin: str
    account_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LockLiftAsked(AccountRef):
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRef:
    trigger_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggersAsked:
    """``account_id`` finds triggers of that account alone, ``trigger_set`` those of a set; ``enabled`` None finds
    both."""

    account_id: int = 0
    trigger_set: str = ""
    enabled: bool | None = None
    after_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTriggerAsked:
    """For all accounts of the tenant in the currency, those on a price plan or with a set, or one.

    See ``domain/triggers.py``. A set that is not there is made. Without ``balance_tag`` it watches the default
    balance of money; units, and what counts, are of all balances.
    """

    name: str
    kind: str
    threshold_micros: int = 0
    threshold_units: int = 0
    balance_kind: str = "monetary"
    window_s: int | None = None
    action: str = "notify"
    currency: str = ""
    balance_tag: str | None = None
    destinations: str = ""
    categories: str = ""
    recurrent: bool = False
    min_sleep_s: int = 0
    monthly: bool = False
    active_from: datetime | None = None
    expires_at: datetime | None = None
    actions: str = ""
    price_plan: str = ""
    account_id: int = 0
    trigger_set: str = ""
    notify: bool = True
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerChangeAsked(TriggerRef):
    """None leaves a thing as it is."""

    name: str | None = None
    enabled: bool | None = None
    threshold_micros: int | None = None
    threshold_units: int | None = None
    window_s: int | None = None
    action: str | None = None
    actions: str | None = None
    balance_tag: str | None = None
    destinations: str | None = None
    categories: str | None = None
    recurrent: bool | None = None
    min_sleep_s: int | None = None
    monthly: bool | None = None
    notify: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerResetAsked(TriggerRef):
    """For one account, or for all of them."""

    account_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringsAsked:
    """Newest first, those with ids below ``before_id``."""

    trigger_id: int = 0
    account_id: int = 0
    before_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionGroupsAsked:
    """Groups in the order of their ids."""

    after_id: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RunActionsAsked(AccountRef):
    """``group`` is a group's id, such as TOPUP_10."""

    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlanAsked(AccountRef):
    """``plan`` is an action plan's id."""

    plan: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingCapAsked(AccountRef):
    """``limit_micros`` of the account's currency a month."""

    limit_micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedGroupRef:
    """``group`` is a shared group's code."""

    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLimitRef(SharedGroupRef):
    """``account_id`` 0 is each member that has no limit of its own."""

    account_id: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedLimitAsked(SharedLimitRef):
    """``limit`` in micro-units for ``monetary``, else in units."""

    limit: int
