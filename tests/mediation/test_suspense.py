"""Suspense: correct, discard, rate again; each record is settled once."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError

from apps.charging.models import AllowanceCounter
from apps.kernel.errors import Conflict, InvalidInputs
from apps.mediation.domain import records
from apps.mediation.models import Cdr, CdrFile, Source, SuspendedRecord
from apps.mediation.pb.billing_pb2 import CDR
from apps.mediation.selectors import explain_cdr, open_suspense
from apps.mediation.services import suspense
from apps.mediation.services.suspense import correct, discard, recycle
from apps.rating.models import PricePlan
from tests.factories import make_subscriber
from tests.mediation.samples import MINUTE_MICROS, MSISDN, NOW, cdr, header, load, make_operator, stream

pytestmark = pytest.mark.django_db


def ids() -> list[int]:
    return list(open_suspense().order_by("pk").values_list("pk", flat=True))


def again(**options):
    return recycle(ids(), now=NOW, by="anna", **options)


def test_a_record_suspended_for_a_missing_subscriber_is_rated_once_there_is_one():
    make_operator(1, free_minutes=1)
    load(header() + stream([cdr(5, msisdn="4915550000002"), cdr(3, msisdn="4915550000002"), cdr(1)]))
    make_subscriber(2, plan=PricePlan.objects.get())
    result = again()
    assert (result.rated, result.duplicates, result.refused, result.cost_micros) == (2, 0, 0, MINUTE_MICROS)
    batch = CdrFile.objects.get(kind="recycled")
    assert (batch.records, batch.rated, batch.load_sequence, batch.cost_micros) == (2, 2, 2, MINUTE_MICROS)
    for record in SuspendedRecord.objects.all():
        assert (record.state, record.settled_by, record.settled_at, record.settled_in) == (
            "recycled",
            "anna",
            NOW,
            batch,
        )
    # In the order of their start here, too: the free minute is the earlier call's.
    assert list(Cdr.objects.filter(file=batch).order_by("start").values_list("free_usage", flat=True)) == [
        60,
        0,
    ]
    assert all(explain_cdr(record).agrees for record in Cdr.objects.all())
    assert again().rated == 0


def test_a_record_that_still_cannot_be_rated_stays_with_its_newest_reason():
    make_operator(1)
    load(header() + stream([cdr(1, msisdn="4917000000000", service="fax")]))
    assert list(open_suspense().values_list("reason", flat=True)) == ["unknown_service"]
    correct(ids()[0], {"service": "voice"})
    result = again()
    assert (result.rated, result.refused, dict(result.reasons)) == (0, 1, {"unknown_subscriber": 1})
    record = SuspendedRecord.objects.get()
    assert (record.state, record.reason, record.attempts) == ("open", "unknown_subscriber", 1)
    assert not CdrFile.objects.filter(kind="recycled").exists()


def test_a_correction_is_charged_and_kept_with_the_record():
    make_operator(1)
    load(
        header() + stream([cdr(1, duration_s=-60), cdr(2, service="data", octets_down=-5, other_party="web")])
    )
    first, second = ids()
    correct(first, {"usage": "120", "other_party": "+4930999"})
    correct(second, {"usage": 700})
    assert again().rated == 2
    voice, data = Cdr.objects.order_by("start")
    assert (voice.usage, voice.cost_micros) == (120, 2 * MINUTE_MICROS)
    message = CDR.FromString(bytes(voice.raw))
    assert (message.duration_s, message.cell, message.record_id) == (120, "262-07-1-2", "R000001")
    assert data.usage == 700
    message = CDR.FromString(bytes(data.raw))
    assert message.octets_up + message.octets_down == 700


def test_a_record_that_cannot_be_read_is_rated_from_corrections_alone():
    make_operator(1)
    load(header() + stream([b"\xff\xfe\xfd", cdr(9)]))
    assert again().refused == 1
    correct(ids()[0], {"service": "sms", "msisdn": MSISDN, "start": "2026-03-10T09:00:00Z", "usage": 1})
    assert again().rated == 1
    assert Cdr.objects.filter(service__code="sms", record_id__startswith="h:").count() == 1


def test_a_csv_line_is_rated_again_with_its_files_header():
    make_operator(1)
    head = b"start,msisdn,service,other_party,duration_s,record_id\n"
    load(head + b"2026-03-10T09:00:00Z,4915550000001,telefax,4930,60,Q1\n" + b"x,1,voice,2,60,Q2\n", "a.csv")
    assert sorted(open_suspense().values_list("reason", flat=True)) == ["invalid_field", "unknown_service"]
    correct(open_suspense(["unknown_service"]).get().pk, {"service": "voice"})
    result = again()
    assert (result.rated, result.refused) == (1, 1)
    assert Cdr.objects.get().record_id == "Q1"


def test_a_suspended_record_that_came_again_and_was_rated_is_a_duplicate():
    make_operator(1)
    load(header() + stream([cdr(1, source="LATER"), cdr(2)]), "a.cdr")
    Source.objects.create(code="LATER")
    load(header() + stream([cdr(1, source="LATER"), cdr(3)]), "b.cdr")
    result = again()
    assert (result.rated, result.duplicates) == (0, 1)
    assert SuspendedRecord.objects.get().state == "duplicate"
    assert AllowanceCounter.objects.count() == 0


def test_a_settled_record_can_neither_be_corrected_nor_discarded_again():
    make_operator(1)
    load(header() + stream([cdr(1, service="fax"), cdr(2)]))
    (pk,) = ids()
    assert discard([pk], now=NOW, by="bea") == 1
    record = SuspendedRecord.objects.get()
    assert (record.state, record.settled_by) == ("discarded", "bea")
    assert record.history.count() == 1
    assert discard([pk], now=NOW, by="bea") == 0
    with pytest.raises(Conflict, match="settled already"):
        correct(pk, {"service": "voice"})


def test_wrong_corrections_are_all_named_and_a_correction_can_be_taken_back():
    make_operator(1)
    load(header() + stream([cdr(1, service="fax"), cdr(2)]))
    (pk,) = ids()
    with pytest.raises(InvalidInputs) as error:
        correct(pk, {"colour": 1, "start": "tomorrow", "usage": -1, "msisdn": "abc"})
    assert {problem.where for problem in error.value.problems} == {"colour", "start", "usage", "msisdn"}
    correct(pk, {"service": "voice", "usage": 5})
    assert correct(pk, {"usage": ""}).corrections == {"service": "voice"}


def test_the_command_recycles_what_its_arguments_name():
    make_operator(1)
    load(header() + stream([cdr(1, service="fax"), cdr(2, msisdn="49170"), cdr(3)]), "a.cdr")
    out = io.StringIO()
    call_command(
        "recyclecdrs", "--reason", "unknown_service", "--file", "a.cdr", stdout=out, stderr=io.StringIO()
    )
    assert "1 records: 0 rated (0.00), 0 duplicates, 1 still in suspense" in out.getvalue()
    assert "unknown_service: 1" in out.getvalue()
    call_command("recyclecdrs", "--id", "999999", stdout=out)
    assert "Nothing in suspense matches" in out.getvalue()
    with pytest.raises(CommandError, match="no file"):
        call_command("recyclecdrs", "--file", "nowhere.cdr")


def test_every_reason_has_advice():
    reasons = {
        value
        for name, value in vars(records).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("_")
    }
    assert reasons <= records.ADVICE.keys()
    assert {"unknown_subscriber", "no_price_plan", "rating_error"} <= records.ADVICE.keys()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "fault", [OperationalError(1213, "Deadlock found"), IntegrityError("loaded meanwhile")]
)
def test_recycling_begins_again_after_a_deadlock_or_a_loader_that_was_quicker(monkeypatch, fault):
    make_operator(1)
    load(stream([cdr(0), cdr(1, msisdn="4915550000002"), cdr(2, msisdn="4915550000002", duration_s=30)]))
    make_subscriber(2, plan=PricePlan.objects.get())
    original, faults = suspense.finish_batch, [fault]

    def finish_batch(file):
        original(file)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(suspense, "finish_batch", finish_batch)
    result = recycle(list(open_suspense().values_list("pk", flat=True)), now=NOW, by="ada")
    assert (result.rated, result.duplicates, result.refused) == (2, 0, 0)
    batch = CdrFile.objects.get(kind="recycled")
    assert result.cost_micros == batch.cost_micros == 2 * MINUTE_MICROS
    assert set(SuspendedRecord.objects.values_list("state", "attempts")) == {("recycled", 1)}
