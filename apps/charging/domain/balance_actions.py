"""Actions on an account as values: what a row of Actions.csv says (CGRateS ``engine/action.go``, v0.9).

An action names balances by its **selector** (id, kind and terms), and says an amount, terms and an end. Those of one
account are carried out together by :func:`apps.charging.domain.acting.act`; rows, files and triggers make them with
:func:`amount_of` and :func:`check_expiry`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from apps.charging.domain.balances import ANY_USE, DEFAULT_TAG, BalanceKind, BalanceTerms
from apps.charging.domain.rollover import Rollover
from apps.kernel.errors import InvalidInput
from apps.kernel.money import MICROS_PER_UNIT, parse_micros
from apps.kernel.units import parse_usage_units
from apps.rating.domain.source import Timing
from apps.rating.domain.tariff_files import times
from apps.rating.domain.tariff_files.fields import UNLIMITED, keyword


class ActionKind(StrEnum):
    """What is done. :data:`SWITCHES` change the account or its triggers, :data:`ERRANDS` leave the database."""

    TOPUP = "*topup"
    """Add to a balance, which comes into being with the stated terms if it has to."""
    TOPUP_RESET = "*topup_reset"
    """Let a balance have just the amount: what was left of it is lost, or rolls over."""
    DEBIT = "*debit"
    DEBIT_RESET = "*debit_reset"
    """Empty a balance, then debit the amount: below zero, so money of an account that may."""
    SET_BALANCE = "*set_balance"
    """Give a balance the amount and the terms that are stated."""
    REMOVE_BALANCE = "*remove_balance"
    """Write off the balances that match, and end them."""
    TRANSFER_MONETARY_DEFAULT = "*transfer_monetary_default"
    """Move what other balances of money hold onto ``*default``."""
    ALLOW_NEGATIVE = "*allow_negative"
    DENY_NEGATIVE = "*deny_negative"
    ENABLE_ACCOUNT = "*enable_account"
    """Lift a bar that ``*disable_account`` set; those of staff and for fraud stay."""
    DISABLE_ACCOUNT = "*disable_account"
    """Bar the account; its open sessions are ended."""
    RESET_ACCOUNT = "*reset_account"
    """Empty all balances, and reset triggers and counters."""
    REMOVE_ACCOUNT = "*remove_account"
    """Empty all balances and close the account; its ledger stays."""
    RESET_TRIGGERS = "*reset_triggers"
    RESET_COUNTERS = "*reset_counters"
    SET_RECURRENT = "*set_recurrent"
    UNSET_RECURRENT = "*unset_recurrent"
    CALL_URL = "*call_url"
    CALL_URL_ASYNC = "*call_url_async"
    MAIL_ASYNC = "*mail_async"
    LOG = "*log"
    CDRLOG = "*cdrlog"
    SET_DDESTINATIONS = "*set_ddestinations"


SWITCHES = frozenset(
    {
        ActionKind.ALLOW_NEGATIVE,
        ActionKind.DENY_NEGATIVE,
        ActionKind.ENABLE_ACCOUNT,
        ActionKind.DISABLE_ACCOUNT,
        ActionKind.RESET_ACCOUNT,
        ActionKind.REMOVE_ACCOUNT,
        ActionKind.RESET_TRIGGERS,
        ActionKind.RESET_COUNTERS,
        ActionKind.SET_RECURRENT,
        ActionKind.UNSET_RECURRENT,
    }
)
ERRANDS = frozenset(
    {
        ActionKind.CALL_URL,
        ActionKind.CALL_URL_ASYNC,
        ActionKind.MAIL_ASYNC,
        ActionKind.LOG,
        ActionKind.CDRLOG,
        ActionKind.SET_DDESTINATIONS,
    }
)
MOST = 10**18
"""What an action moves at most, and what it leaves on a balance: sums of several still fit into 64 bits."""
LONGEST_SPAN_S = 2_562_047 * 3_600
"""Of Go's ``time.Duration``, which CGRateS reads: 292 years."""
NEEDS_AMOUNT = frozenset({ActionKind.TOPUP, ActionKind.TOPUP_RESET, ActionKind.DEBIT})


class Action(NamedTuple):
    """One action. What is None, or an empty ``tag`` or ``expiry``, is not stated.

    ``amount`` counts micro-units of the account's currency for ``monetary`` balances, else seconds, octets or events.
    ``tag`` is the balance's id; without it the stated terms select. ``expiry`` is text that :func:`expiry_at` reads.
    ``groups`` are ids of shared groups. ``weight`` (as text, a decimal) orders a group's actions, highest first.
    ``timings`` are :func:`as_stored`.
    ``condition`` is the Filter column (:mod:`apps.charging.domain.action_filters`): the action is left out unless one
    of the account's balances meets it. ``parameters`` are its ExtraParameters; ``rollover`` is what they
    say of unused units.
    """

    kind: str
    balance_kind: str = BalanceKind.MONETARY
    amount: int | None = None
    tag: str = ""
    expiry: str = ""
    balance_weight: int | None = None
    included: frozenset[str] | None = None
    excluded: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    timings: tuple[Timing, ...] | None = None
    rating_subject: str | None = None
    groups: tuple[int, ...] | None = None
    blocker: bool | None = None
    disabled: bool | None = None
    weight: str = "0"
    condition: str = ""
    parameters: str = ""
    rollover: Rollover | None = None

    def terms(self, expires_at: datetime | None, before: BalanceTerms = ANY_USE) -> BalanceTerms:
        """The stated terms over those ``before``; the end is given."""
        stated: dict[str, Any] = {
            "weight": self.balance_weight,
            "included": self.included,
            "excluded": self.excluded,
            "categories": self.categories,
            "timings": self.timings,
            "rating_subject": self.rating_subject,
            "groups": self.groups,
            "blocker": self.blocker,
            "disabled": self.disabled,
            "expires_at": expires_at,
        }
        return before._replace(
            **{name: value for name, value in stated.items() if value is not None or name == "expires_at"}
        )

    def selects(self, terms: BalanceTerms) -> bool:
        """Whether a balance's terms are the stated ones (CGRateS ``MatchFilter``); its end does not matter."""
        return self.terms(terms.expires_at, terms) == terms

    @property
    def ends(self) -> bool:
        """Whether an end is stated, and it is not ``*unlimited``."""
        return self.expiry not in ("", UNLIMITED)


def as_stored(timings: Iterable[Timing]) -> tuple[Timing, ...]:
    """Timings as a balance's row gives them back: without ids of their own."""
    return tuple(timing._replace(id=f"T{number}") for number, timing in enumerate(timings))


@lru_cache(maxsize=10_000)
def tag_for(action: Action) -> str:
    """The balance that the action makes if it names none: ``*default`` for money that any use may have, for ever.

    Others are named by their kind and terms, so that the same action finds its balance again.
    """
    terms = action.terms(None)
    if action.tag:
        return action.tag
    if action.balance_kind == BalanceKind.MONETARY and terms == ANY_USE and not action.ends:
        return DEFAULT_TAG
    sets = [sorted(part) for part in (terms.included, terms.excluded, terms.categories)]
    said = (
        terms.weight,
        *sets,
        terms.timings,
        terms.rating_subject,
        terms.groups,
        terms.blocker,
        action.ends,
    )
    return f"{action.balance_kind}-{blake2b(repr(said).encode(), digest_size=4).hexdigest()}"


def in_order(actions: Iterable[Action]) -> tuple[Action, ...]:
    """A group's actions as they are carried out: the highest weight first, of equal ones the first in the file."""
    return tuple(sorted(actions, key=lambda action: -float(action.weight)))


def amount_of(balance_kind: str, text: str) -> int | None:
    """Units of an Actions.csv row: money such as ``12.5``, else units such as ``60`` or ``1m``; None for nothing.

    Raises InvalidInput; amounts are not negative, since the action says which way they go.
    """
    if not text:
        return None
    amount = parse_micros(text) if balance_kind == BalanceKind.MONETARY else parse_usage_units(text)
    if amount < 0:
        raise InvalidInput(f"“{text}” is negative; an action says itself which way its units go")
    if amount > MOST:
        most = MOST // MICROS_PER_UNIT if balance_kind == BalanceKind.MONETARY else MOST
        raise InvalidInput(f"“{text}” is too much; an action moves up to {most}")
    return amount


_SPAN = re.compile(r"\+?((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+|\d+)", re.ASCII)
_DAY = timedelta(days=1)


@lru_cache(maxsize=10_000)
def expiry_at(text: str, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When a balance ends that is given at ``at``; None for ever.

    ``*unlimited`` or nothing; ``+720h`` and other durations from then; ``*daily``, ``*monthly``, ``*yearly`` (the same
    time of the next day, month or year in ``zone``, the last day of a shorter month); ``*month_end``; or an instant, in
    ``zone`` if it says none. Raises InvalidInput.
    """
    word = keyword(text)
    if word in ("", UNLIMITED):
        return None
    local = at.astimezone(zone)
    if word == "*daily":
        return at + _DAY
    if word in ("*monthly", "*yearly"):
        return months_after(at, 1 if word == "*monthly" else 12, zone)
    if word == "*month_end":
        year, month = local.year + local.month // 12, local.month % 12 + 1
        return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
    if match := _SPAN.fullmatch(text):
        if text.startswith("+") or not text.isdigit():
            seconds = parse_usage_units(match[1])
            if seconds > LONGEST_SPAN_S:
                raise InvalidInput(f"“{text}” is too long; Go's longest duration is 2562047h")
            return at + timedelta(seconds=seconds)
    elif text.startswith("*"):
        raise InvalidInput(
            f"“{text}” is not an end; write {UNLIMITED}, *daily, *monthly, *yearly, *month_end, +720h or an instant"
        )
    return datetime.fromtimestamp(times.activation(text, zone), UTC)


def months_after(at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The same time of the same day so many months later in ``zone``; the last day of a shorter month."""
    local = at.astimezone(zone)
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    day = min(local.day, calendar.monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day).astimezone(UTC)


def check_expiry(text: str) -> str:
    """The text in small letters if it is a keyword. Raises InvalidInput unless :func:`expiry_at` can read it."""
    expiry_at(text, datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
    return keyword(text)
