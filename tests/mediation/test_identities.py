"""Records that name two subscribers, one by MSISDN and one by IMSI, are charged to neither by guess."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.mediation.domain.identities import imsi_of
from apps.mediation.domain.records import ADVICE
from apps.mediation.models import Cdr, CdrFile, SuspendedRecord
from apps.mediation.pb.billing_pb2 import CDR
from apps.mediation.selectors import open_suspense
from apps.mediation.services.identities import lock_usage, read_ahead
from apps.mediation.services.intake import load_files
from apps.mediation.services.load_file import load_file
from apps.mediation.services.prefetch import WORTHWHILE_OCTETS
from apps.mediation.services.suspense import correct, recycle
from apps.rating.models import PricePlan
from apps.subscribers.models import ResourceAssignment
from tests.factories import make_subscriber
from tests.mediation.samples import (
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
SECOND = "4915550000002"
FIRST_IMSI, SECOND_IMSI = "262010000000001", "262010000000002"


@pytest.fixture(autouse=True)
def two_subscribers() -> None:
    make_operator(0)
    for number, imsi in ((1, FIRST_IMSI), (2, SECOND_IMSI)):
        make_subscriber(number, plan=PricePlan.objects.get(), imsi=imsi)


def suspended() -> list[str]:
    return list(open_suspense().order_by("pk").values_list("record_id", flat=True))


def test_a_record_of_one_subscribers_msisdn_and_anothers_imsi_is_suspended_and_the_others_are_charged():
    records = [
        cdr(1, imsi=FIRST_IMSI),
        cdr(2, imsi=SECOND_IMSI),
        cdr(3),
        cdr(4, imsi="262019999999999"),
        cdr(5, msisdn=SECOND, imsi=SECOND_IMSI),
    ]
    outcome = load(header() + stream(records))
    assert dict(outcome.reasons) == {"contradictory_subscriber": 1}
    assert (outcome.totals.rated, outcome.totals.suspended) == (4, 1)
    record = SuspendedRecord.objects.get()
    assert record.record_id == "R000002"
    assert f"the MSISDN {MSISDN} was subscriber" in record.message
    assert f"the IMSI {SECOND_IMSI} subscriber" in record.message
    assert "correct its msisdn or its imsi" in ADVICE[record.reason]


def test_a_csv_line_that_names_two_subscribers_is_suspended():
    head = b"record_id,service,msisdn,imsi,start,duration_s\n"
    lines = [
        f"Q{n},voice,{MSISDN},{imsi},2026-03-10T08:00:00Z,60\n"
        for n, imsi in enumerate((FIRST_IMSI, SECOND_IMSI))
    ]
    load(head + "".join(lines).encode(), "a.csv")
    assert suspended() == ["Q1"]


@pytest.mark.parametrize("corrections", [{"msisdn": SECOND}, {"imsi": FIRST_IMSI}])
def test_once_corrected_the_record_is_charged_to_the_one_whose_it_is(corrections):
    load(header() + stream([cdr(1, imsi=SECOND_IMSI)]))
    (pk,) = open_suspense().values_list("pk", flat=True)
    again = recycle([pk], now=NOW, by="anna")
    assert (again.rated, dict(again.reasons)) == (0, {"contradictory_subscriber": 1})
    correct(pk, corrections)
    assert recycle([pk], now=NOW, by="anna").rated == 1
    stored = CDR.FromString(bytes(Cdr.objects.get().raw))
    assert {stored.msisdn, stored.imsi} in ({SECOND, SECOND_IMSI}, {MSISDN, FIRST_IMSI})


def test_whose_the_sim_was_when_the_usage_began_counts():
    first = ResourceAssignment.objects.get(resource__value=FIRST_IMSI)
    second = ResourceAssignment.objects.get(resource__value=SECOND_IMSI)
    moved = START + timedelta(seconds=10)
    second.end = moved
    second.save()
    ResourceAssignment.objects.create(resource=second.resource, subscriber=first.subscriber, start=moved)
    load(header() + stream([cdr(n, imsi=SECOND_IMSI) for n in (9, 10, 11)]))
    assert suspended() == ["R000009"]


def test_a_dry_run_counts_records_that_name_two_subscribers():
    path = new_file(header() + stream([cdr(1, imsi=SECOND_IMSI)]))
    assert dict(load_file(path, now=NOW, dry_run=True).reasons) == {"contradictory_subscriber": 1}


def test_what_is_read_ahead_finds_them_as_well():
    identities = {(MSISDN, SECOND_IMSI), (SECOND, SECOND_IMSI), (MSISDN, "")}
    known = read_ahead(identities, START, NOW)
    _, mismatches = lock_usage(identities, START, NOW, known)
    record = (
        int(START.timestamp()),
        0,
        1,
        "R",
        "voice",
        MSISDN,
        "49",
        60,
        b"",
        cdr(1, imsi=SECOND_IMSI).SerializeToString(),
    )
    assert imsi_of(record) == SECOND_IMSI
    clear, refused = mismatches.split([record])
    assert (clear, refused[0].reason) == ([], "contradictory_subscriber")
    assert not lock_usage({(MSISDN, FIRST_IMSI), (SECOND, "")}, START, NOW)[1]


@pytest.mark.django_db(transaction=True)
def test_they_are_found_in_a_file_that_another_process_reads():
    records = [cdr(n, imsi=SECOND_IMSI if n % 1_000 == 0 else FIRST_IMSI) for n in range(1, 14_001)]
    content = header() + stream(records)
    assert len(content) > WORTHWHILE_OCTETS
    (outcome,) = load_files([new_file(content)], lambda: NOW)
    assert dict(outcome.reasons) == {"contradictory_subscriber": 14}
    assert CdrFile.objects.get().rated == 13_986
