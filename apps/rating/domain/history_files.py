"""A tariff version as files to be read and compared: a JSON list a table, one row a line, always in the same order.

A destination's prefixes and a rate's slots are a line each, so that a change of one is a difference of one line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple
from urllib.parse import quote

from apps.kernel.errors import InvalidInput
from apps.rating.domain import source as src

Row = dict[str, Any]
Terms = Mapping[str, Iterable[Row]]
"""Rows beside those of prices, by the path of their file without “.json”."""

_TENANTS = "tenants.json"
_PLAN_CODES = "tariff-plans.json"
_PRICE_PLANS = "price-plans.json"


class FileDifference(NamedTuple):
    """The rows of a file that one version has and the other does not, as lines."""

    path: str
    removed: list[str]
    added: list[str]


def history_files(source: src.TariffSource, terms: Terms) -> dict[str, bytes]:
    """The files of a version: what prices depend on, and the terms beside prices."""
    files = {
        _TENANTS: _lines({"code": code, "time_zone": zone} for code, zone in source.tenants),
        _PLAN_CODES: _lines({"code": plan.code} for plan in source.tariff_plans),
        _PRICE_PLANS: _lines(
            plan._asdict() | {"prices": [price._asdict() for price in plan.prices]}
            for plan in source.price_plans
        ),
    }
    for plan in source.tariff_plans:
        for table, (write, _) in _TABLES.items():
            files[_path(plan.code, table)] = _lines(write(getattr(plan, table)))
    for path, rows in terms.items():
        files[f"{path}.json"] = _lines(rows)
    return files


def plan_path(plan_code: str, table: str) -> str:
    """The path of a table of a tariff plan, without “.json”."""
    return f"tariff-plans/{quote(plan_code, safe='*')}/{table}"


def source_of(files: Mapping[str, bytes]) -> src.TariffSource:
    """What prices depend on, read back. Raises InvalidInput if the files are not those of a version."""
    try:
        return src.TariffSource(
            tuple((row["code"], row["time_zone"]) for row in json.loads(files[_TENANTS])),
            tuple(
                src.TariffPlan(
                    row["code"],
                    *(
                        tuple(read(json.loads(files[_path(row["code"], table)])))
                        for table, (_, read) in _TABLES.items()
                    ),
                )
                for row in json.loads(files[_PLAN_CODES])
            ),
            tuple(
                src.PricePlan(**row | {"prices": tuple(src.ServicePrice(**price) for price in row["prices"])})
                for row in json.loads(files[_PRICE_PLANS])
            ),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"the files are not those of a tariff version: {error!r}") from error


def differences(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[FileDifference]:
    """The files that differ, with the rows that differ."""
    found = []
    for path in sorted({*before, *after}):
        old, new = before.get(path, b""), after.get(path, b"")
        if old == new:
            continue
        old_rows, new_rows = _rows(old), _rows(new)
        # A table that appears without rows is no difference; rows in another order are one.
        if list(old_rows) != list(new_rows):
            removed = [row for row in old_rows if row not in new_rows]
            added = [row for row in new_rows if row not in old_rows]
            found.append(FileDifference(path, removed, added))
    return found


def _path(plan_code: str, table: str) -> str:
    return f"{plan_path(plan_code, table)}.json"


def _rows(content: bytes) -> dict[str, None]:
    """The rows of a file as text, in their order."""
    return dict.fromkeys(
        line.rstrip(",") for line in content.decode().splitlines() if line not in ("[", "]", "[]")
    )


def _lines(rows: Iterable[Row]) -> bytes:
    texts = [json.dumps(row, ensure_ascii=False) for row in rows]
    return ("[\n" + ",\n".join(texts) + "\n]\n" if texts else "[]\n").encode()


def _write_plain(rows: Iterable[Any]) -> Iterator[Row]:
    return (row._asdict() for row in rows)


def _read_plain(kind: Callable[..., Any]) -> Callable[[Iterable[Row]], Iterator[Any]]:
    def read(rows: Iterable[Row]) -> Iterator[Any]:
        for row in rows:
            yield kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in row.items()})

    return read


def _write_destinations(destinations: Iterable[src.Destination]) -> Iterator[Row]:
    for destination_id, prefixes in destinations:
        # One without prefixes is a line as well.
        for prefix in prefixes or (None,):
            yield {"id": destination_id, "prefix": prefix}


def _read_destinations(rows: Iterable[Row]) -> Iterator[src.Destination]:
    for destination_id, group in groupby(rows, lambda row: row["id"]):
        yield src.Destination(
            destination_id, tuple(row["prefix"] for row in group if row["prefix"] is not None)
        )


def _write_rates(rates: Iterable[src.Rate]) -> Iterator[Row]:
    for rate_id, slots, nanoseconds in rates:
        # The lines of the many rates whose figures are whole do not say so.
        head: Row = {"id": rate_id, "nanoseconds": True} if nanoseconds else {"id": rate_id}
        if not slots:
            yield head
        for slot in slots:
            yield head | slot._asdict()


def _read_rates(rows: Iterable[Row]) -> Iterator[src.Rate]:
    for head, group in groupby(rows, lambda row: (row.pop("id"), row.pop("nanoseconds", False))):
        rate_id, nanoseconds = head
        yield src.Rate(rate_id, tuple(src.RateSlot(**row) for row in group if row), nanoseconds)


_TABLES: dict[str, tuple[Callable[..., Iterator[Row]], Callable[..., Iterator[Any]]]] = {
    "timings": (_write_plain, _read_plain(src.Timing)),
    "destinations": (_write_destinations, _read_destinations),
    "rates": (_write_rates, _read_rates),
    "destination_rates": (_write_plain, _read_plain(src.DestinationRate)),
    "rating_plans": (_write_plain, _read_plain(src.RatingPlanEntry)),
    "rating_profiles": (_write_plain, _read_plain(src.RatingProfile)),
}
