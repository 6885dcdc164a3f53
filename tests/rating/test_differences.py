"""The difference of two tariffs: every price that changes is in it, for whom, from when, with the worked price."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from apps.backoffice.exports import Sheet, as_csv, as_workbook
from apps.rating.domain import Rater, RatingError, compile_tariff
from apps.rating.domain.differences import Difference, Kind, PriceChange, difference, timing_changes
from apps.rating.domain.drafts import with_folder
from apps.rating.domain.source import TariffSource, Timing
from apps.rating.domain.tariff_files import read_tariff_files
from apps.rating.models import PricePlan, TariffVersion
from apps.rating.selectors.differences import version_difference
from apps.rating.services.drafts import make_draft, publish_draft
from apps.rating.services.publishing import publish
from tests.factories import make_plan, make_tenant
from tests.rating.folders import MINIMAL, encoded
from tests.rating.tariffs import slot, tariff_source, usage
from tests.rating.test_exporting_tariffs import folders

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def source(**files: str) -> TariffSource:
    read = read_tariff_files(encoded(**files), plan_code="*shared")
    assert read.problems == []
    return with_folder(TariffSource(), read, {}, flush=True)


def compared(old: TariffSource, new: TariffSource, **amounts: int) -> Difference:
    return difference(compile_tariff(old), compile_tariff(new), amounts)


def workbook(data: bytes) -> Any:
    from openpyxl import load_workbook

    return load_workbook(io.BytesIO(data))


def only(found: Difference) -> PriceChange:
    (change,) = found.prices
    return change


def rates(price: str) -> str:
    return MINIMAL["Rates"].replace("RT_MOB,0,1.2", f"RT_MOB,0,{price}")


def test_a_rise_names_its_destination_prefixes_subjects_and_percent() -> None:
    change = only(compared(source(), source(Rates=rates("1.5"))))
    assert (change.kind, change.destination, change.prefixes) == (Kind.RISE, "DE_MOBILE", ("4915", "4917"))
    assert (change.old_micros, change.new_micros, change.millionths) == (1_200_000, 1_500_000, 250_000)
    assert (change.subjects, change.old_plan, change.timing) == (("default/call/*any",), "RP", "*any")
    assert change.since == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert (change.old_terms, change.what) == ("1.2 for 60 by 30; *up 4", "rate")


def test_prices_are_worked_for_the_usage_of_the_category_with_the_connect_fee() -> None:
    dearer = MINIMAL["Rates"].replace("RT_FIX,0.1,0.6,60s,60s", "RT_FIX,0.3,0.6,60s,60s")
    change = only(compared(source(), source(Rates=dearer), call=120))
    assert (change.old_micros, change.new_micros, change.what) == (1_300_000, 1_500_000, "connect fee")


def test_a_new_prefix_is_compared_with_what_its_numbers_cost_before() -> None:
    more = MINIMAL["Destinations"] + "DE_MOBILE,4916\n"
    change = only(compared(source(), source(Destinations=more)))
    assert (change.kind, change.prefixes, change.old_micros) == (Kind.RISE, ("4916",), 700_000)
    back = only(compared(source(Destinations=more), source()))
    assert (back.kind, back.prefixes, back.destination) == (Kind.FALL, ("4916",), "GERMANY")


def test_a_destination_without_a_price_before_is_new_and_the_reverse_is_gone() -> None:
    files = {
        "Destinations": MINIMAL["Destinations"] + "FRANCE,33\n",
        "DestinationRates": MINIMAL["DestinationRates"] + "DR,FRANCE,RT_MOB,*up,4,0,\n",
    }
    change = only(compared(source(), source(**files)))
    assert (change.kind, change.old_micros, change.new_micros) == (Kind.NEW, None, 1_200_000)
    assert only(compared(source(**files), source())).kind is Kind.GONE


def test_increments_alone_are_another_change_at_the_same_worked_price() -> None:
    finer = MINIMAL["Rates"].replace("RT_MOB,0,1.2,1m,30", "RT_MOB,0,1.2,1m,1")
    change = only(compared(source(), source(Rates=finer)))
    assert (change.kind, change.what, change.millionths) == (Kind.OTHER, "increments", 0)


def test_a_later_activation_is_compared_with_the_plan_it_replaces() -> None:
    files = {
        "Rates": MINIMAL["Rates"] + "RT_NEW,0,2.4,1m,30,0\n",
        "DestinationRates": MINIMAL["DestinationRates"]
        + "DR2,GERMANY,RT_FIX,*up,4,0,\nDR2,DE_MOBILE,RT_NEW,*up,4,0,\n",
        "RatingPlans": MINIMAL["RatingPlans"] + "RP2,DR2,*any,10\n",
        "RatingProfiles": MINIMAL["RatingProfiles"] + "default,call,*any,2026-06-01T00:00:00Z,RP2,\n",
    }
    found = compared(source(), source(**files))
    change = only(found)
    assert (change.old_plan, change.new_plan, change.new_micros) == ("RP", "RP2", 2_400_000)
    assert change.since == datetime(2026, 6, 1, tzinfo=UTC).timestamp()
    assert [(profile.old, profile.new) for profile in found.profiles] == [("", "RP2")]


def test_a_subjects_first_own_plan_is_compared_with_that_of_any_subject() -> None:
    files = {
        "Rates": MINIMAL["Rates"] + "RT_VIP,0,0.6,1m,30,0\n",
        "DestinationRates": MINIMAL["DestinationRates"]
        + "DV,GERMANY,RT_FIX,*up,4,0,\nDV,DE_MOBILE,RT_VIP,*up,4,0,\n",
        "RatingPlans": MINIMAL["RatingPlans"] + "RV,DV,*any,10\n",
        "RatingProfiles": MINIMAL["RatingProfiles"] + "default,call,vip,2026-01-01T00:00:00Z,RV,\n",
    }
    change = only(compared(source(), source(**files)))
    assert (change.kind, change.subjects) == (Kind.FALL, ("default/call/vip",))


def test_subjects_whose_plans_price_alike_share_a_line() -> None:
    both = MINIMAL["RatingProfiles"] + "default,sms,*any,2026-01-01T00:00:00Z,RP,\n"
    change = only(compared(source(RatingProfiles=both), source(RatingProfiles=both, Rates=rates("2"))))
    assert change.subjects == ("default/call/*any", "default/sms/*any")


def test_other_ids_of_the_same_prices_are_no_difference() -> None:
    renamed = {name: text.replace("RT_MOB", "RT_X").replace("PEAK", "BUSY") for name, text in MINIMAL.items()}
    assert compared(source(), source(**renamed)).prices == []


def test_rates_at_new_hours_are_compared_with_the_rate_for_any_time() -> None:
    night = Timing("NIGHT", start_s=72_000)
    old = tariff_source([slot("0.6")])
    new = tariff_source([slot("0.6")], timed=[(night, "10", [slot("0.3")])])
    change = only(compared(old, new))
    assert (change.timing, change.kind, change.old_micros, change.new_micros) == (
        "NIGHT",
        Kind.FALL,
        600_000,
        300_000,
    )
    (timing,) = timing_changes(old, new)
    assert (timing.name, timing.old, timing.new) == ("NIGHT", "", "20:00:00 to 24:00:00")


@given(
    old=folders(),
    new=folders(),
    number=st.text("0123456789#*", max_size=5),
    second=st.integers(0, 364 * 86_400),
)
def test_every_price_that_differs_is_in_the_difference(
    old: dict[str, str], new: dict[str, str], number: str, second: int
) -> None:
    at = NOW + timedelta(seconds=second)
    tariffs = []
    for files in (old, new):
        read = read_tariff_files({name: text.encode() for name, text in files.items()}, plan_code="*shared")
        made = with_folder(TariffSource(), read, {}, flush=True)
        (plan,) = made.tariff_plans
        alone = tuple(profile._replace(fallback_subjects=()) for profile in plan.rating_profiles)
        tariffs.append(compile_tariff(made._replace(tariff_plans=(plan._replace(rating_profiles=alone),))))
    found = difference(tariffs[0], tariffs[1], {})

    def outcome(rater: Rater, subject: str) -> Any:
        try:
            event = usage(60, subject=subject, destination=number, start=at.isoformat())
            return rater.rate(event).cost_micros
        except RatingError as error:
            return error.code

    raters = [Rater(tariff) for tariff in tariffs]
    for _, category, subject in tariffs[0].profiles.keys() | tariffs[1].profiles.keys():
        if category != "call" or outcome(raters[0], subject) == outcome(raters[1], subject):
            continue
        assert any(
            f"default/call/{subject}" in change.subjects
            and change.since <= at.timestamp() + 60
            and any(number.startswith(prefix.lstrip("+")) for prefix in change.prefixes)
            for change in found.prices
        )


# --- Versions and files ---


@pytest.mark.django_db
def test_versions_differ_in_fees_and_free_units_of_products_too() -> None:
    make_tenant()
    plan: PricePlan = make_plan("TALK", fee_micros=10_000_000, voice=(120_000, 0))
    first = publish(NOW).version_id
    plan.monthly_fee_micros = 12_000_000
    plan.save()
    plan.services.update(price_micros=150_000, free_units=100)
    found = version_difference(publish(NOW).version_id, first)
    change = only(found)
    assert (change.kind, change.amount, change.new_micros) == (Kind.RISE, 60, 150_000)
    terms = {(product.of, product.name): (product.old, product.new) for product in found.products}
    assert terms["price plans default/TALK", "monthly_fee_micros"] == ("10000000", "12000000")
    assert terms["price plan services default/TALK/voice", "free_units"] == ("0", "100")


@pytest.mark.django_db
def test_the_command_prints_and_writes_the_difference_of_a_draft(tmp_path: Path) -> None:
    publish_draft(make_draft(encoded(), NOW).pk, NOW)
    draft = make_draft({"Rates": rates("1.5").encode()}, NOW)
    out = io.StringIO()
    files = [f"--csv={tmp_path / 'd.csv'}", f"--xlsx={tmp_path / 'd.xlsx'}"]
    call_command("comparetariffs", "--draft", str(draft.pk), *files, stdout=out)
    assert "rise           2 prefixes" in out.getvalue()
    assert (
        "rise   DE_MOBILE [4915 4917] *any: 60 1.2 → 1.5 (+25.00 %) rate for default/call/*any"
        in out.getvalue()
    )
    (row,) = csv.DictReader((tmp_path / "d.csv").open())
    assert (row["Change"], row["Prefixes"], row["Percent"]) == ("rise", "4915 4917", "25.00")
    book = workbook((tmp_path / "d.xlsx").read_bytes())
    assert book.sheetnames == ["Prices", "Terms"]
    assert list(book["Prices"].values)[1][:2] == ("rise", "DE_MOBILE")
    assert float(list(book["Prices"].values)[1][6]) == 1.5
    out = io.StringIO()
    version = publish_draft(draft.pk, NOW).version_id
    call_command(
        "comparetariffs", "--tariff-version", str(version), "--usage", "2m", "--only", "fall", stdout=out
    )
    assert "DE_MOBILE" not in out.getvalue()
    call_command("comparetariffs", "--draft", str(draft.pk), "--usage", "2m", stdout=out)
    assert "120 2.4 → 3" in out.getvalue()
    assert TariffVersion.objects.count() == 2


def test_text_that_a_spreadsheet_would_run_stays_text() -> None:
    sheet = Sheet(("a",), [("=1+1",), ("@x",), ("-3",), (None,), (2,), ("bad\x00\x1f",)])
    assert as_csv(sheet).splitlines() == ["a", "'=1+1", "'@x", "-3", '""', "2", "bad\x00\x1f"]
    page = workbook(as_workbook({"One": sheet}))["One"]
    assert [(cell.value, cell.data_type) for cell in page["A"]][:4] == [
        ("a", "s"), ("=1+1", "s"), ("@x", "s"), ("-3", "s"),
    ]  # fmt: skip
    assert page["A7"].value == "bad"
