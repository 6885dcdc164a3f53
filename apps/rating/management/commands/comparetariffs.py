"""``comparetariffs``: what a draft would change, or what differs between two tariff versions."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.backoffice.exports import Sheet, as_csv, as_workbook
from apps.kernel.errors import BssError
from apps.kernel.units import parse_usage_units
from apps.rating.domain.differences import Difference, Kind
from apps.rating.domain.differences.tables import PRICE_HEADERS, TERM_HEADERS, price_rows, term_rows
from apps.rating.selectors.differences import draft_difference, units_of_sale, version_difference
from apps.rating.selectors.tariffs import version_before
from apps.runtime.commands import RoomCommand

_SHOWN = 50


class Command(RoomCommand):
    help = (
        "Say which prices rise, fall, appear or vanish, for whom, from when, to which destinations, and which timings, "
        "profiles and terms of products differ. Prices are those of a unit of sale (a minute), connect fee included."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--draft", type=int, metavar="N", help="A draft against what is live.")
        which.add_argument(
            "--tariff-version", type=int, metavar="N", help="A version against the one before."
        )
        parser.add_argument(
            "--against", type=int, metavar="N", help="With --tariff-version: against this one."
        )
        parser.add_argument(
            "--usage",
            metavar="U",
            help="Work prices for this usage instead: 90, 3m, 1024.",
        )
        parser.add_argument(
            "--only", choices=[kind.value for kind in Kind], help="Only prices of one kind of change."
        )
        parser.add_argument("--csv", type=Path, metavar="FILE", help="Write all price changes there.")
        parser.add_argument("--xlsx", type=Path, metavar="FILE", help="Write all of it there as a workbook.")

    def handle(
        self,
        *args: Any,
        draft: int | None,
        tariff_version: int | None,
        against: int | None,
        usage: str | None,
        only: str | None,
        csv: Path | None,
        xlsx: Path | None,
        **options: Any,
    ) -> None:
        try:
            amount = parse_usage_units(usage) if usage is not None else None
            if draft is not None:
                found = draft_difference(draft, amount)
            else:
                assert tariff_version is not None
                old = against if against is not None else version_before(tariff_version)
                found = version_difference(tariff_version, old, amount)
        except BssError as error:
            raise CommandError(str(error)) from error
        prices = [change for change in found.prices if only is None or change.kind.value == only]
        rows = list(price_rows(prices, units_of_sale()))
        terms = list(term_rows(found))
        self._print(found, rows, terms)
        if csv is not None:
            csv.write_text(as_csv(Sheet(PRICE_HEADERS, rows)), encoding="utf-8")
        if xlsx is not None:
            sheets = {"Prices": Sheet(PRICE_HEADERS, rows), "Terms": Sheet(TERM_HEADERS, terms)}
            xlsx.write_bytes(as_workbook(sheets))

    def _print(self, found: Difference, rows: list[tuple[Any, ...]], terms: list[tuple[str, ...]]) -> None:
        for kind, count in found.counts.items():
            self.stdout.write(f"{kind.value:6} {count:>9,} prefix{'es' if count != 1 else ''}")
        for row in rows[:_SHOWN]:
            kind, destination, timing, prefixes, unit, old, new, percent, what, *_, for_whom, since, _, _ = (
                row
            )
            by = f" ({percent:+} %)" if percent is not None else ""
            shown = prefixes if len(prefixes) <= 40 else prefixes[:39] + "…"
            self.stdout.write(
                f"{kind:6} {destination} [{shown}] {timing}: {unit} {_text(old)} → {_text(new)}{by} {what} "
                f"for {for_whom}{' from ' + since if since else ''}"
            )
        if len(rows) > _SHOWN:
            self.stdout.write(f"… and {len(rows) - _SHOWN:,} more; --csv or --xlsx writes all")
        for of, name, old, new in terms:
            self.stdout.write(f"{of}, {name}: {old or '–'} → {new or '–'}")


def _text(amount: Any) -> str:
    return "–" if amount is None else f"{amount:f}"
