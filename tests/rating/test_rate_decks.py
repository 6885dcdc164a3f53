"""Rate decks of suppliers: read by each supplier's columns, laid over what is live, refused with row and column."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.kernel.errors import BssError, Conflict, InvalidInput, InvalidInputs
from apps.rating.domain import RatingError
from apps.rating.domain.rate_decks import Deck, DeckMapping, read_deck, read_sheet, sheets
from apps.rating.domain.rate_decks.values import Status, day, increments, prefixes, price, status
from apps.rating.models import Supplier, TariffDraft, Tenant
from apps.rating.selectors import current_tariff
from apps.rating.selectors.differences import draft_difference
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.drafts import make_draft, publish_draft
from apps.rating.services.rate_decks import load_rate_deck, preview_deck
from tests.rating.folders import encoded
from tests.rating.tariffs import usage

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MAPPING = DeckMapping(
    destination="Destination", effective="Effective", status="Status", increment="Increment"
)
HEADINGS = "Destination,Prefix,Price,Increment,Effective,Status\n"


def read(text: str | bytes, mapping: DeckMapping = MAPPING) -> Deck:
    data = text if isinstance(text, bytes) else text.encode()
    rows = read_sheet(data, sheet=mapping.sheet, delimiter=mapping.delimiter, header_row=mapping.header_row)
    return read_deck(rows, mapping, name="deck", currency="EUR")


def workbook(*rows: tuple[Any, ...], title: str = "Rates") -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


# --- Cells ---


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("4930", "", ("4930",)),
        ("+49", "", ("49",)),
        ("0049", "", ("49",)),
        ("1201-1205, 1210", "", ("1201", "1202", "1203", "1204", "1205", "1210")),
        ("1200 – 1209", "", ("120",)),
        ("4915;4916/4917\n4918", "", ("4915", "4916", "4917", "4918")),
        ("15, 160-162", "49", ("4915", "49160", "49161", "49162")),
        ("", "376", ("376",)),
        ("08-11", "1", ("108", "109", "110", "111")),
    ],
)
def test_prefixes_are_read_as_lists_ranges_and_with_a_country_code(
    text: str, country: str, expected: tuple[str, ...]
) -> None:
    assert prefixes(text, country) == expected


@pytest.mark.parametrize(
    "text",
    ["", "abc", "12-1", "9-1", "1000000-2000000", "4" * 19, "12--15", "-", "49 30", "1,,2", "1,x", "٣"],
)
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        prefixes(text, "")


@pytest.mark.parametrize(
    ("text", "comma", "expected"),
    [
        ("0.0123", False, "0.0123"), ("0,0123", True, "0.0123"), ("1.234,5", True, "1234.5"),
        ("1,234.5", False, "1234.5"), ("€ 0.10", False, "0.1"), (".5", False, "0.5"), ("7", True, "7"),
    ],
)  # fmt: skip
def test_prices_are_read_with_the_suppliers_decimal_mark(text: str, comma: bool, expected: str) -> None:
    assert price(text, decimal_comma=comma) == expected


@pytest.mark.parametrize(
    ("text", "comma"),
    [
        ("0,0123", False), ("0.0123", True), ("", False), ("-1", False), ("free", False), ("1.2.3", False),
        ("1e-3", False),
    ],
)  # fmt: skip
def test_a_price_in_another_notation_is_refused_rather_than_misread(text: str, comma: bool) -> None:
    with pytest.raises(InvalidInput):
        price(text, decimal_comma=comma)


def test_increments_dates_and_statuses_are_read() -> None:
    assert (increments("60/1"), increments("30 / 6"), increments("1")) == ((60, 1), (30, 6), (1, 1))
    assert day("31.01.2026 00:00", "DD.MM.YYYY") == day(date(2026, 1, 31), "YYYY-MM-DD") == date(2026, 1, 31)
    assert (status("Increase"), status("CLOSED"), status("")) == (Status.INCREASE, Status.BLOCKED, None)
    for wrong in (
        lambda: increments("0/1"),
        lambda: increments("60/x"),
        lambda: day("01/31/2026", "DD/MM/YYYY"),
    ):
        with pytest.raises(InvalidInput):
            wrong()


# --- Decks ---


def test_a_deck_is_read_by_headings_in_any_order_below_a_title() -> None:
    mapping = MAPPING._replace(header_row=3, decimal_comma=True, date_format="DD.MM.YYYY", currency="Cur")
    deck = read(
        "Rates of TELCO;;;;;;\n;;;;;;\nprice;cur;PREFIX;Destination;Status;Effective;Increment\n"
        "0,012;EUR;4915-4917;Germany Mobile;Increase;01.02.2026;60/1\n;;;;;;\nAll prices in EUR;;;;;;\n",
        mapping,
    )
    assert [problem.where for problem in deck.problems] == [
        "deck, row 6, column Prefix (C)",
        "deck, row 6, column Price (A)",
    ]
    (row,) = deck.rows
    assert (row.number, row.destination, row.prefixes) == (4, "Germany Mobile", ("4915", "4916", "4917"))
    assert (row.price, row.first, row.following, row.effective) == ("0.012", 60, 1, date(2026, 2, 1))


def test_a_deck_without_headings_is_read_by_letters() -> None:
    mapping = DeckMapping(destination="B", country_code="C", prefix="D", price="A", header_row=0)
    (row,) = read("0.5|Andorra|376|\n", mapping).rows
    assert (row.destination, row.prefixes, row.price) == ("Andorra", ("376",), "0.5")


def test_a_workbook_is_read_with_numbers_and_dates_as_spreadsheets_keep_them() -> None:
    data = workbook(
        tuple(HEADINGS.strip().split(",")),
        ("Germany", 49, 0.1 + 0.2, "60/1", datetime(2026, 2, 1), "new"),  # noqa: DTZ001
        ("Mobile", 4915.0, 0.00001, 1, date(2026, 3, 1), None),
    )
    one, other = read(data).rows
    assert (one.prefixes, one.price, one.effective, one.status) == (
        ("49",),
        "0.3",
        date(2026, 2, 1),
        Status.NEW,
    )
    assert (other.prefixes, other.price, other.first) == (("4915",), "0.00001", 1)
    with pytest.raises(InvalidInput, match="no sheet “Prices”, but Rates"):
        read(data, MAPPING._replace(sheet="Prices"))


@pytest.mark.parametrize(
    ("row", "where", "message"),
    [
        ("Germany,4x,1,60/1,,", "row 2, column Prefix (B)", "not a prefix"),
        ("Germany,49,dear,60/1,,", "row 2, column Price (C)", "not a price"),
        ("Germany,49,,60/1,,", "row 2, column Price (C)", "a price is missing"),
        ("Germany,49,1,fast,,", "row 2, column Increment (D)", "no increments"),
        ("Germany,49,1,60/1,31.1.26,", "row 2, column Effective (E)", "written YYYY-MM-DD"),
        ("Germany,49,1,60/1,,maybe", "row 2, column Status (F)", "no status"),
        ("Germany,49,1,60/1,,\nDE,49,2,60/1,,", "row 3, column Prefix (B)", "stands in row 2 with another price"),
    ],
)  # fmt: skip
def test_an_error_names_its_row_and_column(row: str, where: str, message: str) -> None:
    (problem,) = read(HEADINGS + row + "\n").problems
    assert problem.where == f"deck, {where}"
    assert message in problem.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no rows"), (HEADINGS.encode(), "no prices below"), (b"a,b\n1,2\n", "no column “Destination”"),
        (b"PK\x03\x04nonsense", "workbook cannot be read"), (b"\x00\x01\x02", "neither CSV nor a workbook"),
        (b"\xff\xfea", "is no text"),
    ],
)  # fmt: skip
def test_what_is_no_deck_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(data)


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(InvalidInput, match="at most 1,000 are taken"):
        read(workbook(("Prefix", "Price")))


@cache
def small_workbook() -> bytes:
    # Once, as a workbook holds the time at which it was made.
    return workbook(("Prefix", "Price"), (49, 1))


_GOOD = (HEADINGS + "Germany,49,1,60/1,2026-02-01,new\n").encode()


@settings(max_examples=300)
@given(st.data())
def test_any_bytes_are_read_or_refused_with_a_reason(data: st.DataObject) -> None:
    base = data.draw(st.sampled_from([b"", _GOOD, small_workbook()]))
    cut = data.draw(st.integers(0, len(base)))
    damaged = base[:cut] + data.draw(st.binary(max_size=40)) + base[cut + data.draw(st.integers(0, 30)) :]
    mapping = data.draw(
        st.sampled_from([MAPPING, DeckMapping(), DeckMapping(prefix="A", price="B", header_row=0)])
    )
    try:
        deck = read(damaged, mapping)
    except InvalidInput:
        return
    assert all(problem.where.startswith("deck, row ") for problem in deck.problems)


# --- Loading ---


@pytest.fixture
def supplier() -> Supplier:
    look_again()
    publish_draft(make_draft(encoded(), NOW).pk, NOW)
    return Supplier.objects.create(
        code="TELCO", name="Telco", tenant=Tenant.objects.get(), subject="telco", effective="Effective",
        status="Status", increment="Increment",
    )  # fmt: skip


def deck(*rows: str) -> bytes:
    return (HEADINGS + "".join(f"{row}\n" for row in rows)).encode()


def load(supplier: Supplier, data: bytes, **options: Any) -> TariffDraft:
    return load_rate_deck(supplier, data, NOW, name="deck.csv", by="ann", **options)


def cost(number: str, on: str) -> int | str:
    """Micro-units for 61 seconds at noon of a day; a code if there is no price."""
    event = usage(61, f"{on}T12:00:00Z", destination=number, subject="telco", category="purchase")
    try:
        return current_tariff().rater.rate(event).cost_micros
    except RatingError as error:
        return error.code


FIRST = deck(
    "Germany,49,0.60,60/60,2026-01-10,new",
    "Germany Mobile,4915-4917,1.20,60/1,2026-01-10,new",
    "France,33,0.3,1/1,2026-01-10,",
)


@pytest.mark.django_db
def test_a_deck_becomes_the_suppliers_prices_from_its_effective_days_on(supplier: Supplier) -> None:
    draft = load(supplier, FIRST)
    assert (draft.error_count, draft.made_by, draft.note) == (0, "ann", "Telco: 3 rows from 2026-01-10")
    publish_draft(draft.pk, NOW)
    assert cost("4930", "2026-01-09") == "no_rating_plan"
    assert cost("4930", "2026-01-10") == 1_200_000
    assert cost("49160", "2026-01-10") == 1_220_000
    assert cost("331", "2026-01-10") == 305_000


@pytest.mark.django_db
def test_later_days_keep_what_earlier_ones_cost_and_blocked_prefixes_have_no_price(
    supplier: Supplier,
) -> None:
    publish_draft(load(supplier, FIRST).pk, NOW)
    changes = deck(
        "Germany,49,0.66,60/60,2026-02-01,increase",
        "France,33,,,2026-03-01,blocked",
        "Spain,34,0.4,1/1,2026-03-01,new",
    )
    draft = load(supplier, changes)
    assert draft.problems == []
    kinds = {(change.kind.value, change.prefixes) for change in draft_difference(draft.pk).prices}
    assert kinds == {("rise", ("49",)), ("gone", ("33",)), ("new", ("34",))}
    publish_draft(draft.pk, NOW)
    assert [cost("4930", on) for on in ("2026-01-31", "2026-02-01", "2026-03-01")] == [
        1_200_000,
        1_320_000,
        1_320_000,
    ]
    assert [cost("331", on) for on in ("2026-02-28", "2026-03-01")] == [305_000, "unauthorised_destination"]
    assert cost("34", "2026-03-01") == 406_667


@pytest.mark.django_db
def test_what_was_announced_for_later_stays_unless_the_deck_says_otherwise(supplier: Supplier) -> None:
    publish_draft(load(supplier, FIRST).pk, NOW)
    publish_draft(load(supplier, deck("Germany,49,0.9,60/60,2026-06-01,")).pk, NOW)
    publish_draft(load(supplier, deck("France,33,0.2,1/1,2026-04-01,")).pk, NOW)
    assert [cost("4930", on) for on in ("2026-05-31", "2026-06-01")] == [1_200_000, 1_800_000]
    assert [cost("331", on) for on in ("2026-03-31", "2026-04-01", "2026-06-01")] == [
        305_000,
        203_333,
        203_333,
    ]


@pytest.mark.django_db
def test_a_whole_deck_leaves_no_price_to_destinations_that_it_lacks(supplier: Supplier) -> None:
    publish_draft(load(supplier, FIRST).pk, NOW)
    whole = deck("Germany,49,0.60,60/60,,", "France,33,0.2,1/1,2026-03-01,")
    publish_draft(load(supplier, whole, whole=True, valid_from=date(2026, 2, 1)).pk, NOW)
    assert cost("49160", "2026-01-31") == 1_220_000
    assert cost("49160", "2026-02-01") == 1_200_000
    assert [cost("331", on) for on in ("2026-02-01", "2026-03-01")] == [305_000, 203_333]


@pytest.mark.django_db
def test_increases_without_notice_and_a_belied_status_are_reported(supplier: Supplier) -> None:
    publish_draft(load(supplier, FIRST).pk, NOW)
    late = deck(
        "Germany,49,0.66,60/60,2026-01-14,increase",
        "France,33,0.2,1/1,2026-01-14,increase",
        "Germany Mobile,4915,1.3,60/1,2026-01-17,same",
    )
    draft = load(supplier, late, received=date(2026, 1, 8))
    assert [(where, code) for where, _, code in draft.problems] == [
        ("deck.csv, row 2", "short_notice"), ("deck.csv, row 3", "status_belied"), ("deck.csv, row 4", "status_belied"),
    ]  # fmt: skip
    assert "rises on 2026-01-14, 6 days after it was announced; agreed are 7" in draft.problems[0][1]
    assert "says “increase”, but France falls" in draft.problems[1][1]


@pytest.mark.django_db
def test_a_deck_made_of_prices_that_have_changed_since_is_not_published(supplier: Supplier) -> None:
    publish_draft(load(supplier, FIRST).pk, NOW)
    june, april = (
        load(supplier, deck("Germany,49,0.9,60/60,2026-06-01,")),
        load(supplier, deck("France,33,0.2,1/1,2026-04-01,")),
    )
    publish_draft(april.pk, NOW)
    with pytest.raises(Conflict, match="upload its deck again"):
        publish_draft(june.pk, NOW)


@pytest.mark.django_db
def test_errors_make_no_draft_and_a_preview_stores_nothing(supplier: Supplier) -> None:
    drafts = TariffDraft.objects.count()
    with pytest.raises(InvalidInputs, match=r"deck\.csv, row 2, column Price"):
        load(supplier, deck("Germany,49,dear,,,"))
    with pytest.raises(InvalidInput, match="without a price"):
        load(supplier, deck("Germany,49,,,2026-02-01,blocked"))
    with pytest.raises(InvalidInput, match="61 effective days"):
        load(
            supplier, deck(*(f"Germany,49,1,1/1,{date(2026, 2, 1) + timedelta(days=n)}," for n in range(61)))
        )
    preview = preview_deck(supplier, FIRST, "deck.csv", rows=2)
    assert ([row.destination for row in preview.rows], preview.read) == (["Germany", "Germany Mobile"], 3)
    assert TariffDraft.objects.count() == drafts


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.tuples(
    st.sampled_from(["4", "49", "491", "33"]), st.integers(1, 4), st.integers(0, 3), st.booleans()
), min_size=1, max_size=4), min_size=1, max_size=3))  # fmt: skip
@pytest.mark.django_db
def test_prices_are_those_of_the_latest_row_by_day_and_deck(
    loads: list[list[tuple[str, int, int, bool]]],
) -> None:
    """An oracle that replays all decks: a later deck counts more on each day, but only for its own prefixes."""
    Supplier.objects.all().delete()
    tenant, _ = Tenant.objects.get_or_create(code="default")
    supplier = Supplier.objects.create(
        code=f"S{TariffDraft.objects.count()}", name="S", tenant=tenant, subject=f"s{TariffDraft.objects.count()}",
        effective="Effective", status="Status", increment="Increment",
    )  # fmt: skip
    days = [date(2026, 2, 1) + timedelta(days=number) for number in range(4)]
    oracle: list[dict[str, int]] = [{} for _ in days]
    for rows in loads:
        once = {(prefix, start): (amount, blocked) for prefix, amount, start, blocked in rows}
        first = min(start for _, start in once)
        after = [dict(prices) for prices in oracle]
        for number in range(first, len(days)):
            for (prefix, start), (amount, blocked) in sorted(once.items(), key=lambda item: item[0][1]):
                if start <= number:
                    after[number].pop(prefix, None)
                    if not blocked:
                        after[number][prefix] = amount
        text = deck(*(f"X{prefix},{prefix},{amount},60/60,{days[start]},{'blocked' if blocked else ''}"
                      for (prefix, start), (amount, blocked) in once.items()))  # fmt: skip
        try:
            draft = load(supplier, text)
        except InvalidInput:
            # It would leave the supplier without any price.
            continue
        publish_draft(draft.pk, NOW, accept_changes=True)
        oracle = after
    for number, on in enumerate(days):
        for dialled in ("4", "40", "490", "4911", "339", "7"):
            prefix = max(
                (prefix for prefix in oracle[number] if dialled.startswith(prefix)), key=len, default=""
            )
            event = usage(
                60, f"{on}T12:00:00Z", destination=dialled, subject=supplier.subject, category="purchase"
            )
            try:
                found = current_tariff().rater.rate(event).cost_micros
            except BssError:
                found = 0
            assert found == oracle[number].get(prefix, 0) * 1_000_000


@pytest.mark.django_db
def test_the_command_previews_refuses_and_makes_a_draft(supplier: Supplier, tmp_path: Path) -> None:
    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("loadratedeck", *arguments, stdout=out, stderr=out)
        return out.getvalue()

    file = tmp_path / "deck.csv"
    file.write_bytes(FIRST)
    assert "row 2: Germany [49] 0.6 by 60/60 from 2026-01-10 new" in run("TELCO", str(file), "--dry-run")
    assert "makes it live" in run("TELCO", str(file), "--received", "2026-01-01")
    with pytest.raises(CommandError, match="no supplier OTHER"):
        run("OTHER", str(file))
    file.write_bytes(deck("Germany,4x,1,1/1,,"))
    with pytest.raises(CommandError, match="1 error; no draft was made"):
        run("TELCO", str(file))
