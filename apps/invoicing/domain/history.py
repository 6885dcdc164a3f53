"""Usage records of one bill, gathered by subscriber and service in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from apps.invoicing.domain.bill_data import UsageRecord


@dataclass(slots=True)
class GroupOfRecords:
    """Records of one subscriber and service: the first ones themselves, sums of all."""

    records: list[UsageRecord] = field(default_factory=list)
    count: int = 0
    cost_micros: int = 0
    shown_cost_micros: int = 0

    @property
    def left_out(self) -> int:
        return self.count - len(self.records)


class UsageHistory:
    """Takes records in order of time; keeps the first ``limit`` to list them, and sums of all by group and day."""

    def __init__(self, limit: int, zone: ZoneInfo) -> None:
        self.limit = limit
        self.groups: dict[tuple[int, int], GroupOfRecords] = {}
        self.daily: dict[date, dict[int, list[int]]] = {}
        """Day → service → [records, cost in micro-units]."""
        self.count = 0
        self.cost_micros = 0
        # Records that are added up on the bill and not listed one by one, such as a reseller's of his customers.
        self.unlisted = 0
        self.unlisted_micros = 0
        self._zone = zone

    def add(self, records: Iterable[UsageRecord]) -> None:
        """Take further records."""
        zone, groups, daily = self._zone, self.groups, self.daily
        for record in records:
            cost = record.cost_micros
            group = groups.get((record.subscriber_id, record.service_id))
            if group is None:
                group = groups[record.subscriber_id, record.service_id] = GroupOfRecords()
            if self.count < self.limit:
                group.records.append(record)
                group.shown_cost_micros += cost
            group.count += 1
            group.cost_micros += cost
            self.count += 1
            self.cost_micros += cost
            day = daily.setdefault(record.start.astimezone(zone).date(), {})
            sums = day.setdefault(record.service_id, [0, 0])
            sums[0] += 1
            sums[1] += cost

    def add_sums(self, records: int, cost_micros: int) -> None:
        """Take so many records that are not listed."""
        self.unlisted += records
        self.unlisted_micros += cost_micros

    @property
    def is_cut(self) -> bool:
        return self.count > self.limit
