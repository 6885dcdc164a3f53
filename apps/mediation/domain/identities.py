"""Records whose MSISDN is one subscriber's and whose IMSI is another's: neither of the two is charged by guess.

The same rule as over Gy, where such a request is refused (5030). An unassigned number contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from apps.charging.domain.lines import Holding
from apps.mediation.domain.checks import CheckedRecord, SuspendedRecordData, suspended
from apps.mediation.domain.records import CONTRADICTORY_SUBSCRIBER
from apps.mediation.pb.billing_pb2 import CDR


class ImsiHolding(NamedTuple):
    """An IMSI in a subscriber's hands for ``[start, end)``."""

    subscriber_id: int
    start: datetime
    end: datetime | None


def imsi_of(record: CheckedRecord) -> str:
    """The IMSI that the record names; may be empty."""
    imsi: str = CDR.FromString(record[9]).imsi
    return imsi


class Mismatches:
    """Finds such records of a batch. False if none can be among them, so that their messages need not be read.

    ``identities`` are the pairs of MSISDN and IMSI that the batch's records name.
    """

    def __init__(
        self,
        identities: Collection[tuple[str, str]],
        msisdns: Mapping[str, Sequence[Holding]],
        imsis: Mapping[str, Sequence[ImsiHolding]],
    ) -> None:
        self._msisdns, self._imsis = msisdns, imsis
        self._doubtful = {
            msisdn
            for msisdn, imsi in identities
            if (holders := imsis.get(imsi)) is not None
            and (holdings := msisdns.get(msisdn)) is not None
            # Nearly always there is one holder of each.
            and not (
                len(holders) == len(holdings) == 1
                and holders[0].subscriber_id == holdings[0].line.subscriber_id
            )
        }

    def __bool__(self) -> bool:
        return bool(self._doubtful)

    def split(
        self, records: Sequence[CheckedRecord]
    ) -> tuple[list[CheckedRecord], list[SuspendedRecordData]]:
        """The records that can be charged, and those that name two subscribers."""
        clear: list[CheckedRecord] = []
        refused: list[SuspendedRecordData] = []
        for record in records:
            message = self._mismatch(record) if record[5] in self._doubtful else ""
            if message:
                refused.append(suspended(record, CONTRADICTORY_SUBSCRIBER, message))
            else:
                clear.append(record)
        return clear, refused

    def _mismatch(self, record: CheckedRecord) -> str:
        msisdn, at = record[5], datetime.fromtimestamp(record[0], UTC)
        imsi = imsi_of(record)
        owner = next(
            (
                holding.line.subscriber_id
                for holding in self._msisdns[msisdn]
                if holding.start <= at < holding.end
            ),
            None,
        )
        others = {
            holder.subscriber_id
            for holder in self._imsis.get(imsi, ())
            if holder.start <= at and (holder.end is None or at < holder.end)
        }
        if owner is None or not others or owner in others:
            return ""
        return (
            f"at {at:%Y-%m-%d %H:%M:%S} UTC the MSISDN {msisdn} was subscriber {owner}'s "
            f"and the IMSI {imsi} subscriber {min(others)}'s"
        )
