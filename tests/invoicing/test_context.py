"""The context: every documented key, primitives only, sums that add up as they are read, three languages."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.domain.values import OTHER_DEBITS, PAID_FROM_BALANCE
from apps.invoicing.domain.bill_data import Line, Movement
from apps.invoicing.domain.chart import days_between, nice_ceiling, stacked_bars
from apps.invoicing.domain.context import BillContext
from apps.invoicing.domain.context_builder import BillDoesNotAddUp, build_context
from apps.invoicing.domain.labels import LANGUAGES, labels_for, service_name
from apps.invoicing.domain.text_lines import LINE_WIDTH, width
from apps.invoicing.domain.words import destination_name, msisdn_text
from apps.kernel.currencies import payable_micros
from tests.invoicing.samples import BERLIN, JANUARY, history_of, postpaid_bill, prepaid_bill, records

GOLDEN = Path(__file__).parents[1] / "golden" / "invoicing"
SPACES = str.maketrans("", "", "\u2007\u00a0\u202f ")


def context_of(bill, found, limit: int = 5_000) -> dict[str, Any]:
    return build_context(bill, history_of(found, limit))  # type: ignore[return-value]


def number(text: str) -> Decimal:
    """An amount as an English bill shows it."""
    return Decimal(text.translate(SPACES).replace(",", ""))


def check(value: object, expected: Any, where: str) -> None:
    """Fail unless the value is what the TypedDict says: the same keys, no more and no fewer."""
    origin = get_origin(expected)
    if origin in (Union, types.UnionType):
        if value is None:
            assert type(None) in get_args(expected), where
            return
        expected = next(part for part in get_args(expected) if part is not type(None))
        origin = get_origin(expected)
    if is_typeddict(expected):
        hints = get_type_hints(expected)
        assert isinstance(value, dict), where
        assert set(value) == set(hints), where
        for key, hint in hints.items():
            check(value[key], hint, f"{where}.{key}")
    elif origin is list:
        assert type(value) is list, where
        for item in value:
            check(item, get_args(expected)[0], f"{where}[]")
    elif origin is dict:
        assert type(value) is dict, where
        for key, item in value.items():
            check(key, get_args(expected)[0], where)
            check(item, get_args(expected)[1], f"{where}.{key}")
    else:
        assert type(value) is expected, f"{where}: {value!r}"


@pytest.mark.parametrize("make", [postpaid_bill, prepaid_bill])
@pytest.mark.parametrize("count", [0, 40])
def test_the_context_is_what_its_schema_documents_and_survives_json(make, count: int):
    found = records(count)
    context = context_of(make(found), found)
    check(context, BillContext, "context")
    assert json.loads(json.dumps(context)) == context


def test_every_key_of_the_schema_is_read_by_a_template():
    """A key that no template shows would be documented for nothing, but for those meant for other templates."""
    folder = Path(__file__).parents[2] / "templates"
    text = "".join(
        path.read_text() for path in [*folder.glob("*paid.html"), *folder.glob("invoicing/*.html")]
    )
    unused = {key for key in get_type_hints(BillContext) if key not in text}
    assert unused <= {"bill_id", "year", "month", "month_name"}


@pytest.mark.parametrize("seed", range(5))
def test_printed_amounts_add_up_to_the_printed_totals(seed: int):
    found = records(60, subscribers=2, seed=seed)
    context = context_of(postpaid_bill(found), found)
    summary = context["summary"]
    parts = [row for row in summary["rows"] if row["kind"] != "net"]
    assert sum(number(row["amount"]) for row in parts) == number(summary["total"])
    before_tax = [row for row in parts if row["kind"] != "tax"]
    net = next(row for row in summary["rows"] if row["kind"] == "net")
    assert sum(number(row["amount"]) for row in before_tax) == number(net["amount"])
    by_kind = {row["kind"]: number(row["amount"]) for row in summary["rows"]}
    for part, kind in (
        ("recurring", "recurring"),
        ("one_offs", "one_off"),
        ("discounts", "discount"),
        ("taxes", "tax"),
    ):
        rows = context[part]["rows"]
        assert sum(number(row["amount"]) for row in rows) == number(context[part]["total"]) == by_kind[kind]
    usage = context["usage"]
    for line in usage["lines"]:
        assert sum(number(row["amount"]) for row in line["rows"]) == number(line["total"])
    assert sum(number(line["total"]) for line in usage["lines"]) == number(usage["total"]) == by_kind["usage"]
    groups = context["history"]["groups"]
    for group in groups:
        assert sum(number(row["amount"]) for row in group["rows"]) == number(group["total"])
    exact = sum(record.cost_micros for record in found)
    assert sum(number(group["total"]) for group in groups) == Decimal(exact).scaleb(-6)


def test_a_balance_runs_from_its_opening_to_its_closing():
    found = records(50)
    balance = context_of(prepaid_bill(found), found)["balance"]
    running = number(balance["opening"])
    for row in balance["rows"]:
        running += number(row["amount"])
        assert running == number(row["balance"])
    assert running == number(balance["closing"])
    assert number(balance["opening"]) + number(balance["added"]) + number(balance["taken"]) == running


def test_many_movements_are_shown_by_day_and_kind():
    found = records(10)
    bill = prepaid_bill(found)
    many = [Movement(JANUARY[0] + timedelta(minutes=40 * n), "usage", "", -1_000) for n in range(1000)]
    closing = bill.opening_balance_micros - 1_000_000
    balance = context_of(replace(bill, movements=tuple(many), closing_balance_micros=closing), found)[
        "balance"
    ]
    assert len(balance["rows"]) == 28
    assert balance["rows"][0]["note"] == "36 ×"
    assert number(balance["rows"][-1]["balance"]) == number(balance["closing"])


@pytest.mark.parametrize("limit", [0, 1, 25, 59])
def test_a_list_that_is_cut_says_so_and_still_adds_up(limit: int):
    found = records(60, subscribers=2)
    history = context_of(postpaid_bill(found), found, limit)["history"]
    assert str(limit) in history["notes"][-1]
    assert sum(len(group["rows"]) for group in history["groups"]) == limit
    left_out = 0
    for group in history["groups"]:
        shown = sum(number(row["amount"]) for row in group["rows"])
        if group["further"]:
            left_out += int(group["further"].split()[0])
            shown += number(group["further_amount"])
        assert shown == number(group["total"])
    assert left_out == 60 - limit


def test_a_list_that_is_whole_says_nothing():
    found = records(60)
    history = context_of(postpaid_bill(found), found, 60)["history"]
    assert history["notes"] == [labels_for("en")["exact_note"]]
    assert all(not group["further"] for group in history["groups"])


@pytest.mark.parametrize("locale", ["en_GB", "en_US", "de_DE", "fr_FR"])
def test_every_line_of_fixed_text_is_as_wide_as_the_page(locale: str):
    found = records(80, subscribers=2)
    found[0] = found[0]._replace(other_party="a-very-long-access-point-name.example", destination="*any")
    found[1] = found[1]._replace(other_party="日本語", destination="日本")
    context = context_of(prepaid_bill(found, locale=locale), found, 70)
    tables = [*context["history"]["groups"], context["balance"]]
    lines = [line for table in tables for block in table["text_blocks"] for line in block.split("\n")]
    lines += [table["text_head"] for table in tables]
    lines += [table[key] for table in tables for key in ("text_total", "text_further") if table.get(key)]
    assert {width(line) for line in lines} == {LINE_WIDTH}


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_in_a_record_stays_on_its_line(other_party: str, destination: str):
    found = [record._replace(other_party=other_party, destination=destination) for record in records(3)]
    group = context_of(postpaid_bill(found), found)["history"]["groups"][0]
    assert sum(len(block.split("\n")) for block in group["text_blocks"]) == len(group["rows"])


def test_a_document_that_does_not_add_up_is_refused():
    found = records(20)
    bill = postpaid_bill(found)
    with pytest.raises(BillDoesNotAddUp, match="the lines make"):
        context_of(replace(bill, total_micros=bill.total_micros + 1), found)
    with pytest.raises(BillDoesNotAddUp, match=r"20 records of .* but 19 records"):
        context_of(bill, found[1:])
    prepaid = prepaid_bill(found)
    with pytest.raises(BillDoesNotAddUp, match="the movements lead to"):
        context_of(replace(prepaid, closing_balance_micros=0), found)


@pytest.mark.parametrize(("currency", "finer"), [("EUR", 1_000), ("JPY", 10_000), ("KWD", 100)])
def test_a_line_finer_than_its_currency_is_refused(currency: str, finer: int):
    bill = replace(
        postpaid_bill([]), currency=currency, lines=(Line("one_off", "Fee", finer),), total_micros=finer
    )
    with pytest.raises(BillDoesNotAddUp, match="is finer than"):
        context_of(bill, [])


@pytest.mark.parametrize(
    ("currency", "amounts"),
    [("EUR", ["1,235.00", "234.65"]), ("JPY", ["1,235", "235"]), ("KWD", ["1,235.000", "234.650"])],
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, amounts: list[str]):
    net, tax = 1_235_000_000, payable_micros(234_650_000, currency)
    lines = (
        Line("one_off", "Phone", net),
        Line("tax", "VAT", tax, rate_millionths=190_000, base_micros=net),
    )
    bill = replace(postpaid_bill([]), currency=currency, lines=lines, total_micros=net + tax)
    context = context_of(bill, [])
    assert [row["amount"] for row in context["summary"]["rows"] if row["kind"] != "net"] == amounts


def test_credits_of_former_bills_are_subtracted_from_the_amount_due():
    bill = replace(postpaid_bill([]), credit_micros=5_000_000)
    summary = context_of(bill, [])["summary"]
    assert number(summary["total"]) + number(summary["credit"]) == number(summary["due"])
    assert summary["due_with_currency"] in summary["note"]
    paid = context_of(replace(bill, credit_micros=bill.total_micros), [])
    assert (paid["summary"]["note"], paid["due_on"]) == ("There is nothing to pay.", "")


def test_a_bill_over_nothing_is_a_bill():
    bill = replace(postpaid_bill([]), lines=(), total_micros=0)
    context = context_of(bill, [])
    assert context["summary"]["note"] == "There is nothing to pay."
    assert context["summary"]["rows"] == []
    assert context["due_on"] == ""
    assert context["chart"]["svg"] == ""


def test_a_credit_is_no_demand():
    bill = replace(
        postpaid_bill([]), lines=(Line("one_off", "Returned", -5_000_000),), total_micros=-5_000_000
    )
    context = context_of(bill, [])
    assert context["summary"]["due_label"] == "Credit in your favour"
    assert context["summary"]["due_with_currency"] == "€5.00"
    assert context["due_on"] == ""


@pytest.mark.parametrize("locale", ["en_GB", "de_DE", "fr_FR"])
@pytest.mark.parametrize("make", [postpaid_bill, prepaid_bill])
def test_each_language_is_as_it_was_approved(locale: str, make):
    """The golden files are the contexts; after a wanted change, look at the difference and rewrite them."""
    found = records(14, subscribers=2, seed=3)
    context = context_of(make(found, locale=locale), found, 12)
    golden = GOLDEN / f"{context['account']['kind']}-{locale}.json"
    text = json.dumps(context, ensure_ascii=False, indent=1) + "\n"
    assert text == golden.read_text(), f"differs from {golden.name}"


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_each_language_has_every_word_with_the_same_places_to_fill(language: str):
    english = LANGUAGES["en"]
    assert set(LANGUAGES[language]) == set(english)
    for key, text in LANGUAGES[language].items():
        places = {part.split("}")[0] for part in text.split("{")[1:]}
        assert places == {part.split("}")[0] for part in english[key].split("{")[1:]}, key


def test_a_language_without_words_is_english_throughout():
    found = records(5)
    context = context_of(postpaid_bill(found, locale="fi_FI"), found)
    assert context["language"] == "en"
    assert context["title"] == "Bill for January 2026"
    assert context["summary"]["due_with_currency"].startswith("€")
    assert labels_for("fi") == labels_for("en")


def test_a_services_own_name_stays_and_a_shipped_one_is_translated():
    assert service_name("Voice", "de") == "Telefonie"
    assert service_name("Plauderei", "de") == "Plauderei"
    assert service_name("Voice", "en") == "Voice"


@pytest.mark.parametrize(
    ("locale", "texts", "contained"),
    [
        (
            "de_DE",
            [
                "Telefonie (3,00 mit Steuern)",
                "Aus dem Guthaben bezahlt",
                "Sonstige Abbuchungen vom Guthaben",
            ],
            "VAT, enthalten in online Abgebuchtem",
        ),
        (
            "en_GB",
            ["Voice (3.00 with taxes)", "Paid from the balance", "Other debits of the balance"],
            "VAT, included in online charges",
        ),
    ],
)
def test_what_was_charged_online_is_in_the_documents_language_with_the_taxes_that_it_contains(
    locale: str, texts: list[str], contained: str
):
    lines = (
        Line("recurring", "Plan", 10_000_000),
        Line("tax", "VAT", 1_900_000, rate_millionths=190_000, base_micros=10_000_000),
        Line("online", "Voice", 2_520_000, base_micros=3_000_000),
        Line("online", PAID_FROM_BALANCE, -1_000_000, base_micros=-1_000_000),
        Line("online", OTHER_DEBITS, 500_000, base_micros=500_000),
        Line("tax", "VAT", 480_000, rate_millionths=190_000, base_micros=2_520_000, origin="online"),
    )
    bill = replace(postpaid_bill([], locale=locale), lines=lines, total_micros=14_400_000)
    context = context_of(bill, [])
    assert [row["description"] for row in context["online"]["rows"]] == texts
    rows = {row["kind"]: row["amount"].replace(",", ".") for row in context["summary"]["rows"]}
    assert rows == {"recurring": "10.00", "online": "2.02", "net": "12.02", "tax": "2.38"}
    assert [row["name"] for row in context["taxes"]["rows"]] == ["VAT", contained]


@pytest.mark.parametrize(
    ("tag", "language", "text"),
    [
        ("DE_MOBILE", "en", "Germany, mobile"),
        ("DE_FIXED", "de", "Deutschland, Festnetz"),
        ("FR_FIXED", "fr", "France, fixe"),
        ("SATELLITE", "de", "Satellit"),
        ("*any", "en", ""),
        ("DST_1002", "en", "DST_1002"),
        ("ZZ_FIXED_LINE", "en", "ZZ_FIXED_LINE"),
    ],
)
def test_a_destination_is_called_what_people_call_it(tag: str, language: str, text: str):
    assert destination_name(tag, language) == text


def test_an_msisdn_is_written_for_people():
    assert msisdn_text("4915112345678") == "+49 1511 2345678"
    assert msisdn_text("99999") == "+99999"


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=31))
def test_the_chart_reaches_as_high_as_its_highest_day(values: list[int]):
    days = days_between(JANUARY[0].astimezone(BERLIN).date(), JANUARY[0].astimezone(BERLIN).date())
    days = [days[0] + timedelta(days=n) for n in range(len(values))]
    svg = stacked_bars(days, [("Voice & <data>", values)], str, str)
    assert bool(svg) == (max(values) > 0)
    if svg:
        assert "<data>" not in svg
        assert nice_ceiling(max(values)) >= max(values)
        assert nice_ceiling(max(values)) < 2.5 * max(values)
        assert typing.cast(str, svg).count('z"') >= 1
