"""A tariff source as bytes and back: canonical JSON, compressed; nothing in it is executable.

The same content gives the same text on any machine, so its hash names the content.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, NamedTuple

from apps.kernel.errors import InvalidInput
from apps.rating.domain import source as src

FORMAT = 1
MAX_SNAPSHOT_BYTES = 1 << 30


class Snapshot(NamedTuple):
    """The compressed bytes of a tariff source and the SHA-256 (hexadecimal) of its canonical text."""

    data: bytes
    content_hash: str


def encode(source: src.TariffSource) -> Snapshot:
    """The snapshot of a source."""
    text = json.dumps(
        {"format": FORMAT, "tariff": source}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    return Snapshot(zlib.compress(text, 6), hashlib.sha256(text).hexdigest())


def decode(data: bytes) -> src.TariffSource:
    """The source of a snapshot; raises InvalidInput when the bytes are not one."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, MAX_SNAPSHOT_BYTES)
        if not unpacker.eof:
            raise InvalidInput("the tariff snapshot is truncated or too large")
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise InvalidInput(
                f"tariff snapshots of format {document['format']} are not known to this release"
            )
        return _source(document["tariff"])
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"the tariff snapshot cannot be read: {error}") from error


def _source(rows: list[Any]) -> src.TariffSource:
    tenants, tariff_plans, price_plans = rows
    return src.TariffSource(
        tuple((code, zone) for code, zone in tenants),
        tuple(_tariff_plan(plan) for plan in tariff_plans),
        tuple(
            src.PricePlan(tenant, code, subject, expires, tuple(src.ServicePrice(*price) for price in prices))
            for tenant, code, subject, expires, prices in price_plans
        ),
    )


def _tariff_plan(rows: list[Any]) -> src.TariffPlan:
    code, timings, destinations, rates, destination_rates, rating_plans, profiles = rows
    return src.TariffPlan(
        code,
        tuple(
            src.Timing(row[0], tuple(row[1]), tuple(row[2]), tuple(row[3]), tuple(row[4]), row[5], row[6])
            for row in timings
        ),
        tuple(src.Destination(row_id, tuple(prefixes)) for row_id, prefixes in destinations),
        tuple(
            src.Rate(row_id, tuple(src.RateSlot(*slot) for slot in slots), *rest)
            for row_id, slots, *rest in rates
        ),
        tuple(src.DestinationRate(*row) for row in destination_rates),
        tuple(src.RatingPlanEntry(*row) for row in rating_plans),
        tuple(
            src.RatingProfile(tenant, category, subject, since, plan, tuple(fallbacks), tuple(queues))
            for tenant, category, subject, since, plan, fallbacks, queues in profiles
        ),
    )
