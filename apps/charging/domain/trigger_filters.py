"""Which balances, and which usage, an account trigger watches (CGRateS: the balance columns of an action trigger)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.balances import Balance, BalanceKind, BalanceTerms, precision
from apps.rating.domain import Rater


class BalanceFilter(NamedTuple):
    """What a trigger watches. A field that is empty, or None, does not narrow it.

    ``kind`` is what the balance holds, and with usage what of it is counted: the cost of any usage for ``monetary``,
    the units of usage of that type of record for another. ``included`` and ``excluded`` are destination ids: a balance
    must serve all of the included ones, a number that is used must belong to one of them.
    """

    tag: str = ""
    kind: str = BalanceKind.MONETARY
    included: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    rating_subject: str = ""
    group_id: int | None = None
    expires_at: datetime | None = None
    weight: int | None = None
    blocker: bool | None = None
    disabled: bool | None = None

    def matches(self, balance: Balance) -> bool:
        """Whether the trigger watches this balance."""
        terms = balance.terms
        return (
            balance.kind == self.kind
            and (not self.tag or balance.tag == self.tag)
            and self.included <= terms.included
            and self.excluded <= terms.excluded
            and self.categories <= terms.categories
            and (not self.rating_subject or terms.rating_subject == self.rating_subject)
            and (self.group_id is None or self.group_id in terms.groups)
            and (self.expires_at is None or terms.expires_at == self.expires_at)
            and (self.weight is None or terms.weight == self.weight)
            and (self.blocker is None or terms.blocker == self.blocker)
            and (self.disabled is None or terms.disabled == self.disabled)
        )

    def counts(self, category: str, type_of_record: str) -> bool:
        """Whether usage of the category and type of record is counted, to whichever destination."""
        if self.categories and category not in self.categories:
            return False
        return self.kind in (BalanceKind.MONETARY, type_of_record)

    def reaches(self, rater: Rater, tenant: str, number: str) -> bool:
        """Whether a number belongs to the destinations."""
        if not self.included and not self.excluded:
            return True
        terms = BalanceTerms(included=self.included, excluded=self.excluded)
        prefix = rater.matched_prefix(number)
        return precision(rater.tariff, tenant, Balance(0, 0, terms=terms), prefix) is not None
