"""A file's way: read, charged, stored, counted, moved; and what does not belong stays out with its reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.charging.models import AllowanceCounter, Balance, LedgerEntry
from apps.kernel.clock import utc_now
from apps.mediation.models import Cdr, CdrFile, LoadSequence, Source, SuspendedRecord
from apps.mediation.pb.billing_pb2 import CDR
from apps.mediation.selectors import explain_cdr
from apps.mediation.services import sorted_records
from apps.mediation.services.load_file import Outcome, load_file
from apps.rating.models import PricePlan
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from tests.factories import make_plan, make_services, make_subscriber
from tests.mediation.samples import (
    MINUTE_MICROS,
    MSISDN,
    NOW,
    START,
    cdr,
    header,
    load,
    make_operator,
    new_file,
    stream,
)

pytestmark = pytest.mark.django_db


def moved(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_charged_stored_counted_and_moved():
    make_operator()
    content = header(3, source="MSC07", sequence=12) + stream(
        cdr(number, duration_s=60) for number in (1, 2, 3)
    )
    outcome = load(content, "a.cdr")
    assert outcome.outcome is Outcome.LOADED
    file = CdrFile.objects.get()
    assert (file.name, file.source.code, file.format, file.file_sequence) == (
        "a.cdr",
        "MSC07",
        "protobuf",
        12,
    )
    assert (file.records, file.rated, file.duplicates, file.suspended) == (3, 3, 0, 0)
    assert file.cost_micros == 3 * MINUTE_MICROS
    assert (file.first_start, file.last_start) == (START + timedelta(seconds=1), START + timedelta(seconds=3))
    assert (file.load_sequence, file.tariff_version_id is not None, file.loaded_at) == (1, True, NOW)
    first = Cdr.objects.order_by("start").first()
    assert (first.record_id, first.other_party, first.usage, first.billed_usage, first.cost_micros) == (
        "R000001",
        "4930123456",
        60,
        60,
        MINUTE_MICROS,
    )
    assert (first.subscriber.number, first.account.number, first.service.code) == (
        "S1",
        first.subscriber.payer.account.number,
        "voice",
    )
    assert first.start == START + timedelta(seconds=1)
    assert CDR.FromString(bytes(first.raw)) == cdr(1)
    assert moved(settings.CDR_PROCESSED_DIR) == ["a.cdr.done"]
    assert moved(settings.CDR_NEW_DIR) == moved(settings.CDR_ERROR_DIR) == []


def test_each_service_counts_its_own_usage():
    make_operator()
    load(
        stream(
            [
                cdr(1, service="data", other_party="internet", duration_s=9, octets_up=3, octets_down=4),
                cdr(2, service="sms", duration_s=0),
                cdr(3, service="mms", duration_s=0, events=2),
                cdr(4, duration_s=61),
            ]
        )
    )
    assert list(Cdr.objects.order_by("start").values_list("service__code", "usage", "billed_usage")) == [
        ("data", 7, 1048576),
        ("sms", 1, 1),
        ("mms", 2, 2),
        ("voice", 61, 120),
    ]


def test_a_csv_file_is_loaded_by_its_sources_settings_and_keeps_a_cdr_message_of_each_record():
    make_operator()
    Source.objects.create(
        code="MVNO",
        format="csv",
        file_pattern="mvno_*.csv",
        options={
            "delimiter": ";",
            "header": False,
            "columns": {"msisdn": 1, "start": 2, "other_party": 3, "duration_s": 4, "cell": 5},
            "constants": {"service": "voice"},
            "numbers": {"country_code": "49", "national_prefix": "0"},
        },
    )
    outcome = load(b"015550000001;2026-03-10T08:00:01Z;030123456;30;C7\n", "mvno_2.csv")
    assert outcome.outcome is Outcome.LOADED
    record = Cdr.objects.get()
    assert (record.source.code, record.other_party, record.usage) == ("MVNO", "4930123456", 30)
    assert record.record_id.startswith("h:")
    message = CDR.FromString(bytes(record.raw))
    assert (message.cell, message.msisdn, message.duration_s) == ("C7", MSISDN, 30)


def test_records_that_cannot_be_taken_go_to_suspense_with_reason_place_and_raw_form():
    make_operator()
    wrong = {
        "unknown_subscriber": cdr(1, msisdn="4917000000000"),
        "unknown_service": cdr(2, service="fax"),
        "negative_usage": cdr(3, duration_s=-60),
        "future_date": cdr(4, start=int((NOW + timedelta(hours=2)).timestamp())),
        "ancient_date": cdr(5, start=int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())),
        "missing_field": cdr(6, msisdn=""),
        "field_too_long": cdr(7, record_id="x" * 65),
        "unknown_source": cdr(8, source="ELSEWHERE"),
        "implausible_usage": cdr(9, duration_s=1 << 40),
        "malformed": b"\xff\xfe\xfd",
    }
    content = header() + stream([cdr(100), *wrong.values(), cdr(101)])
    outcome = load(content)
    assert (outcome.totals.rated, outcome.totals.suspended) == (2, len(wrong))
    found = {record.reason: record for record in SuspendedRecord.objects.all()}
    assert set(found) == set(wrong) == set(outcome.reasons)
    for reason, record in found.items():
        raw = wrong[reason]
        raw = raw if isinstance(raw, bytes) else raw.SerializeToString()
        assert bytes(record.raw) == raw
        assert content[record.byte_offset :].startswith(bytes([len(raw)]) if len(raw) < 128 else b"")
        assert record.message
        assert record.state == "open"
    assert found["negative_usage"].usage == -60
    assert found["unknown_subscriber"].msisdn == "4917000000000"
    assert found["future_date"].start == NOW + timedelta(hours=2)


def test_usage_with_a_time_out_of_range_is_suspended_and_not_lost():
    make_operator()
    outcome = load(
        stream(
            [
                cdr(1, start=1 << 62),
                cdr(2, octets_up=(1 << 63) - 1, octets_down=(1 << 63) - 1, service="data"),
            ]
        )
    )
    assert outcome.reasons == {"future_date": 1, "implausible_usage": 1}
    assert SuspendedRecord.objects.get(reason="future_date").start is None


def test_an_unrateable_destination_is_suspended_with_the_raters_reason():
    make_operator(1)
    make_subscriber(2, plan=make_plan("BY_DESTINATION", voice=(None, 0)))
    publish(utc_now())
    look_again()
    outcome = load(stream([cdr(1, msisdn="4915550000002")]))
    assert list(outcome.reasons) == ["no_rating_plan"]


def test_odd_characters_in_texts_arrive_as_they_were():
    make_operator()
    ids = ["a\tb", "c\\d", "e\nf", "ünï", "\\N", "%s", "'quoted\"", "A", "a"]
    load(stream(cdr(number, record_id=text, other_party="x\ty") for number, text in enumerate(ids)))
    assert sorted(Cdr.objects.values_list("record_id", flat=True)) == sorted(ids)
    assert set(Cdr.objects.values_list("other_party", flat=True)) == {"x\ty"}


def test_free_units_go_to_the_earliest_calls_in_any_order_of_the_file(monkeypatch):
    make_operator(free_minutes=3)
    monkeypatch.setattr(sorted_records, "RUN_RECORDS", 3)
    order = [7, 2, 9, 1, 8, 3, 6, 5, 4, 10]
    load(stream(cdr(number) for number in order))
    free = dict(Cdr.objects.values_list("record_id", "free_usage"))
    assert [free[f"R{number:06d}"] for number in range(1, 11)] == [60, 60, 60] + [0] * 7
    assert AllowanceCounter.objects.get().used == 180
    assert CdrFile.objects.get().cost_micros == 7 * MINUTE_MICROS


def test_a_prepaid_account_is_debited_with_the_file():
    make_operator(mode="prepaid")
    load(stream([cdr(1), cdr(2)]))
    assert Balance.objects.get(account=Cdr.objects.first().account).amount_micros == -2 * MINUTE_MICROS
    assert sum(LedgerEntry.objects.values_list("amount_micros", flat=True)) == -2 * MINUTE_MICROS


def test_numbers_of_files_follow_their_commits():
    make_operator()
    for number in range(3):
        load(stream([cdr(number)]), f"{number}.cdr")
    assert list(CdrFile.objects.order_by("pk").values_list("load_sequence", flat=True)) == [1, 2, 3]
    assert LoadSequence.objects.get().last == 3


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (bytes(100_000), "no CDR message can be found"),
        (b"hello, this is a letter", "nothing in it can be read"),
        (b"msisdn,service,start\n", None),
        (b"service,msisdn,duration_s\nvoice,1,2\n", "no column for start"),
        (header(0), None),
    ],
)
def test_a_file_in_which_nothing_can_be_read_is_refused_with_the_reason(content: bytes, says: str | None):
    make_operator()
    outcome = load(content, "odd.cdr")
    file = CdrFile.objects.get()
    if says is None:
        assert outcome.outcome is Outcome.LOADED
        assert file.records == 0
        assert moved(settings.CDR_PROCESSED_DIR) == ["odd.cdr.done"]
        return
    assert outcome.outcome is Outcome.REFUSED
    assert file.state == CdrFile.State.REFUSED
    assert says in file.error
    assert moved(settings.CDR_ERROR_DIR) == ["odd.cdr.error"]
    assert not SuspendedRecord.objects.exists()


def test_a_truncated_file_loads_whole_records_and_suspends_the_rest():
    make_operator()
    content = header(3) + stream([cdr(1), cdr(2), cdr(3)])
    outcome = load(content[:-10])
    assert (outcome.totals.rated, dict(outcome.reasons)) == (2, {"truncated": 1})


def test_a_refused_file_is_taken_when_its_source_can_be_read_later():
    make_operator()
    content = b"1;2026-03-10T08:00:01Z;voice\n"
    assert load(content, "x_1.txt").outcome is Outcome.REFUSED
    columns = {"msisdn": 1, "start": 2, "service": 3}
    Source.objects.create(
        code="X",
        format="csv",
        file_pattern="x_*",
        options={"delimiter": ";", "header": False, "columns": columns},
    )
    assert load(content, "x_1.txt").outcome is Outcome.LOADED
    assert CdrFile.objects.get().state == CdrFile.State.LOADED
    assert SuspendedRecord.objects.get().reason == "unknown_subscriber"


def test_wrong_options_of_a_source_leave_its_files_where_they_are_and_say_so():
    make_operator()
    Source.objects.create(code="X", format="csv", file_pattern="*.csv", options={"speed": 1})
    outcome = load(b"a,b\n", "one.csv")
    assert outcome.outcome is Outcome.FAILED
    assert "source X: options.speed" in outcome.detail
    assert moved(settings.CDR_NEW_DIR) == ["one.csv"]


def test_without_a_tariff_nothing_is_loaded_and_the_file_waits():
    make_services()
    outcome = load(stream([cdr()]))
    assert outcome.outcome is Outcome.FAILED
    assert "tariff" in outcome.detail
    assert moved(settings.CDR_NEW_DIR) == ["MSC01_1.cdr"]
    assert not CdrFile.objects.exists()


def test_a_dry_run_tells_what_would_happen_and_writes_nothing():
    make_operator(free_minutes=1)
    path = new_file(header(source="NEW") + stream([cdr(1), cdr(1), cdr(2), cdr(3, service="fax")]))
    outcome = load_file(path, now=NOW, dry_run=True)
    totals = outcome.totals
    assert (totals.rated, totals.duplicates, totals.suspended) == (2, 1, 1)
    assert totals.cost_micros == MINUTE_MICROS
    for model in (Cdr, CdrFile, SuspendedRecord, Source, AllowanceCounter, LoadSequence):
        assert not model.objects.exists(), model
    assert moved(settings.CDR_NEW_DIR) == ["MSC01_1.cdr"]


def test_a_file_that_is_written_to_while_it_is_read_is_left_for_the_next_time():
    make_operator()
    path = new_file(stream([cdr(1)]))

    def write_more(step: str, done: int, total: int) -> None:
        if step == "read":
            with path.open("ab") as file:
                file.write(stream([cdr(2)]))

    assert load_file(path, now=NOW, on_step=write_more).outcome is Outcome.CHANGING
    assert not CdrFile.objects.exists()
    assert load_file(path, now=NOW).totals.rated == 2


def test_every_price_can_be_explained_and_agrees_with_the_stored_one():
    make_operator(free_minutes=2)
    load(
        stream(
            [
                cdr(1, duration_s=90),
                cdr(2, duration_s=100),
                cdr(3, service="data", octets_up=5, other_party="web"),
            ]
        )
    )
    for record in Cdr.objects.all():
        found = explain_cdr(record)
        assert found.agrees
        assert found.text
    record = Cdr.objects.latest("start")
    record.cost_micros += 1
    assert not explain_cdr(record).agrees


@hypothesis_settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=400), name=st.sampled_from(["a.cdr", "b.csv"]), good=st.booleans())
def test_any_bytes_end_as_a_loaded_or_refused_file_and_never_as_a_crash(
    content: bytes, name: str, good: bool
):
    if not PricePlan.objects.exists():
        make_operator()
    if good:
        content = stream([cdr(1)]) + content
    outcome = load(content, name)
    assert outcome.outcome in (Outcome.LOADED, Outcome.REFUSED, Outcome.REPEATED), outcome
    assert moved(settings.CDR_NEW_DIR) == []
