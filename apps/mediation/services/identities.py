"""Whose the numbers and IMSIs of a batch are, read under its lock or ahead of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from apps.charging.domain.usage_book import UsageBook
from apps.charging.services.usage import KnownHoldings, lock_usage_book, read_holdings
from apps.mediation.domain.identities import ImsiHolding, Mismatches
from apps.subscribers.selectors import imsi_holdings

# Pairs of MSISDN and IMSI; the IMSI may be empty.
Identities = Collection[tuple[str, str]]
ImsiHoldings = dict[str, list[ImsiHolding]]


class ReadAhead(NamedTuple):
    """What is known of a batch before its turn comes."""

    holdings: KnownHoldings
    imsis: ImsiHoldings


def read_ahead(identities: Identities, first: datetime, last: datetime) -> ReadAhead:
    """What :func:`lock_usage` reads, without a lock."""
    return ReadAhead(read_holdings(_msisdns(identities), first, last), _imsis(identities, first, last))


def lock_usage(
    identities: Identities, first: datetime, last: datetime, known: ReadAhead | None = None
) -> tuple[UsageBook, Mismatches]:
    """The book for records that start in ``[first, last]`` (:func:`lock_usage_book`), and which of them contradict.

    Inside the caller's transaction. ``known`` is what :func:`read_ahead` read for the same arguments.
    """
    book = lock_usage_book(_msisdns(identities), first, last, known.holdings if known is not None else None)
    imsis = known.imsis if known is not None else _imsis(identities, first, last)
    return book, Mismatches(identities, book.holdings, imsis)


def _msisdns(identities: Identities) -> set[str]:
    return {msisdn for msisdn, _ in identities}


def _imsis(identities: Identities, first: datetime, last: datetime) -> ImsiHoldings:
    named = {imsi for _, imsi in identities if imsi}
    holders: ImsiHoldings = defaultdict(list)
    if named:
        for imsi, subscriber_id, start, end in imsi_holdings(named, first, last):
            holders[imsi].append(ImsiHolding(subscriber_id, start, end))
    return dict(holders)
