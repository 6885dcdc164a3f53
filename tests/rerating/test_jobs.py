"""Re-ratings: what they show, move and restore."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing.models import Bill, BillLine, Discount, Notification, OneOffCharge, TaxRule
from apps.billing.services.cancelling import cancel_bill
from apps.charging.models import Account, AllowanceCounter, Balance, LedgerEntry
from apps.events.models import Event
from apps.events.services.consuming import deliver
from apps.invoicing.selectors.bill_data import Batch
from apps.kernel.errors import BssError, Conflict, InvalidInput
from apps.mediation.models import Cdr, CdrCorrection
from apps.mediation.selectors import explain_cdr
from apps.rating.models import PricePlan, PricePlanService, Service, TariffVersion, Tenant
from apps.rating.selectors.tariffs import look_again
from apps.rating.services.publishing import publish
from apps.rerating.models import RerateAccount, RerateDifference, RerateJob
from apps.rerating.selectors import by_destination, totals_of
from apps.rerating.services import applying, jobs
from tests.billing.scenes import month, run
from tests.factories import make_cycle
from tests.rerating.scenes import (
    APRIL,
    MARCH,
    MAY,
    MINUTE,
    NOW,
    applied,
    correct_price,
    counted,
    job_of,
    load_calls,
    make_operator,
    numbers,
    reversed_,
    sums_agree,
)

pytestmark = pytest.mark.django_db
State = RerateJob.State
Rows = RerateAccount.State


def costs() -> list[int]:
    return list(Cdr.objects.order_by("start", "pk").values_list("cost_micros", flat=True))


def test_a_simulation_shows_the_difference_and_moves_nothing():
    make_operator("postpaid", "prepaid")
    load_calls({"by": 1}, {"by": 2, "duration_s": 120}, {"by": 2})
    correct_price(60_000)
    before = numbers()
    job = job_of(note="typed 0.09 for 0.06")
    assert (job.state, job.accounts) == (State.SIMULATED, 2)
    rows = {
        row.account.number: (row.records, row.changed, row.cost_before_micros, row.cost_after_micros)
        for row in job.account_rows.select_related("account")
    }
    assert rows == {"C1": (1, 1, 90_000, 60_000), "C2": (2, 2, 270_000, 180_000)}
    (total,) = totals_of(job.pk)
    assert (total.currency, total.cost_before_micros, total.cost_after_micros) == ("EUR", 360_000, 240_000)
    (place,) = by_destination(job.pk)
    assert (place["service_name"], place["records"], place["added_micros"]) == ("Voice", 3, -120_000)
    assert numbers() == before
    assert not LedgerEntry.objects.filter(cause__startswith="rerate").exists()


def test_what_is_applied_is_what_was_shown_and_a_reversal_restores_every_number():
    make_operator("postpaid", "prepaid", free_minutes=2)
    load_calls(*({"by": by, "duration_s": 90, "day": day} for by in (1, 2) for day in (3, 4, 9)))
    counted()
    before = numbers()
    correct_price(60_000)
    job = applied(job_of())
    assert job.state == State.APPLIED
    assert costs() == [0, 0, 60_000, 60_000, 120_000, 120_000]
    assert sums_agree()
    assert Balance.objects.get(account__number="C2").amount_micros == -180_000
    causes = LedgerEntry.objects.filter(cause__startswith=f"rerate:{job.pk}:").values_list(
        "kind", "amount_micros"
    )
    assert sorted(causes) == [("usage", 30_000), ("usage", 60_000)]
    job = reversed_(job)
    assert job.state == State.REVERSED
    assert numbers() == before
    assert sums_agree()
    told = Event.objects.filter(kind="rerating.finished").order_by("pk").values_list("body", flat=True)
    assert [(body["state"], body["accounts"], body["left"]) for body in told] == [
        ("simulated", 2, 0),
        ("applied", 2, 0),
        ("reversed", 2, 0),
    ]
    deliver(NOW)
    news = Notification.objects.order_by("pk").values_list("text", flat=True)
    assert news[1] == f"Re-rating {job.pk} is applied: 4 of 6 records, 0.54 EUR → 0.36 EUR"


def test_twice_changes_nothing():
    make_operator("postpaid", "prepaid")
    load_calls({"by": 1}, {"by": 2})
    correct_price(60_000)
    job = applied(job_of())
    after = numbers()
    with pytest.raises(Conflict, match="nothing of"):
        jobs.apply_job(job.pk, now=NOW, by="peter")
    jobs.work(job.pk, lambda: NOW)
    again = job_of()
    assert set(again.account_rows.values_list("state", flat=True)) == {Rows.UNCHANGED}
    with pytest.raises(Conflict, match="nothing of"):
        jobs.apply_job(again.pk, now=NOW, by="peter")
    assert numbers() == after
    job = reversed_(job)
    with pytest.raises(Conflict, match="it cannot be reversed"):
        jobs.reverse_job(job.pk, now=NOW, by="peter")


def test_the_tariff_of_its_own_time_makes_no_difference_even_to_files_that_came_late():
    make_operator("postpaid", free_minutes=3)
    load_calls({"day": 20, "duration_s": 120})
    load_calls({"day": 5, "duration_s": 120}, {"day": 7, "duration_s": 60})
    job = job_of()
    assert set(job.account_rows.values_list("state", "changed")) == {(Rows.UNCHANGED, 0)}


def test_free_units_are_taken_again_in_order_when_the_plan_grants_more():
    make_operator("postpaid", free_minutes=1)
    load_calls(*({"day": day, "duration_s": 60} for day in (1, 2, 3)))
    before = numbers()
    PricePlanService.objects.filter(service__code="voice").update(free_units=2)
    publish(NOW)
    look_again()
    job = applied(job_of())
    assert costs() == [0, 0, MINUTE]
    assert AllowanceCounter.objects.get().used == 120
    row = job.account_rows.get()
    assert (row.free_before, row.free_after, row.changed) == (60, 120, 1)
    assert sums_agree()
    reversed_(job)
    assert numbers() == before


def test_an_earlier_version_grants_the_free_units_of_its_time():
    make_operator("postpaid", free_minutes=2)
    old = TariffVersion.objects.latest("pk")
    PricePlanService.objects.filter(service__code="voice").update(free_units=0)
    publish(NOW)
    look_again()
    load_calls(*({"day": day, "duration_s": 60} for day in (1, 2, 3)))
    before = numbers()
    job = applied(job_of(version=old))
    assert costs() == [0, 0, MINUTE]
    assert AllowanceCounter.objects.get().used == 120
    assert sums_agree()
    reversed_(job)
    assert numbers() == before


def test_free_units_of_records_that_were_not_chosen_stay_theirs():
    make_operator("postpaid", free_minutes=2)
    load_calls({"day": 1, "duration_s": 60}, {"day": 2, "duration_s": 120}, {"day": 3, "duration_s": 60})
    tenant = Tenant.objects.get()
    correct_price(60_000)
    job = jobs.make_job(tenant, MARCH.replace(day=2), MARCH.replace(day=3), now=NOW, by="mary")
    jobs.work(job.pk, lambda: NOW)
    job.refresh_from_db()
    applied(job)
    assert costs() == [0, 60_000, MINUTE]
    assert AllowanceCounter.objects.get().used == 120
    assert sums_agree()


def test_only_chosen_records_change():
    make_operator("postpaid", "postpaid")
    load_calls({"by": 1}, {"by": 2, "other_party": "33612345678"})
    correct_price(60_000)
    account = Cdr.objects.order_by("pk").first().account
    assert job_of(account=account).account_rows.get().account == account
    assert job_of(source=Cdr.objects.first().source).accounts == 2
    assert job_of(price_plan=PricePlan.objects.get()).accounts == 2
    assert job_of(destination=Cdr.objects.first().destination).accounts == 2
    with pytest.raises(InvalidInput, match="ends before it begins"):
        jobs.make_job(Tenant.objects.get(), APRIL, MARCH, now=NOW, by="mary")


def test_an_earlier_version_may_be_chosen():
    make_operator("postpaid")
    old = publish(NOW).version_id
    correct_price(60_000)
    load_calls({"by": 1})
    assert costs() == [60_000]
    job = applied(job_of(version=TariffVersion.objects.get(pk=old)))
    assert costs() == [MINUTE]
    assert explain_cdr(Cdr.objects.get()).agrees
    reversed_(job)
    assert explain_cdr(Cdr.objects.get()).agrees


def test_records_that_come_after_the_simulation_have_the_account_simulated_again():
    make_operator("postpaid", "postpaid")
    load_calls({"by": 1}, {"by": 2})
    correct_price(60_000)
    job = job_of()
    correct_price(MINUTE)
    load_calls({"by": 2, "day": 20, "duration_s": 120})
    assert costs()[-1] == 2 * MINUTE
    job = applied(job)
    states = dict(job.account_rows.values_list("account__number", "state"))
    assert states == {"C1": Rows.APPLIED, "C2": Rows.CHANGED}
    assert costs() == [60_000, MINUTE, 2 * MINUTE]
    assert job.account_rows.get(state=Rows.CHANGED).cost_after_micros == 180_000
    job = applied(job)
    assert costs() == [60_000, 60_000, 120_000]
    assert set(job.account_rows.values_list("state", flat=True)) == {Rows.APPLIED}
    assert sums_agree()


def test_what_cannot_be_priced_stays_as_it_is_and_is_said():
    make_operator("postpaid", free_minutes=1)
    load_calls({"day": 1}, {"service": "sms", "day": 2})
    PricePlanService.objects.filter(service__code="voice").update(price_micros=None)
    publish(NOW)
    look_again()
    before = numbers()
    row = job_of().account_rows.get()
    assert (row.state, row.refused, row.changed) == (Rows.UNCHANGED, 1, 0)
    assert row.reason
    assert numbers() == before


def test_a_second_person_has_to_apply_it_where_the_setting_says_so(settings):
    settings.RERATING_MAKER_CHECKER = True
    make_operator("postpaid")
    load_calls({"by": 1})
    correct_price(60_000)
    job = job_of()
    with pytest.raises(Conflict, match="another person has to apply it"):
        jobs.apply_job(job.pk, now=NOW, by="mary")
    assert applied(job, by="peter").state == State.APPLIED


def test_a_later_re_rating_is_reversed_first():
    make_operator("postpaid")
    load_calls({"by": 1})
    before = numbers()
    correct_price(60_000)
    first = applied(job_of())
    correct_price(30_000)
    second = applied(job_of())
    assert costs() == [30_000]
    first = reversed_(first)
    assert first.state == State.APPLIED
    row = first.account_rows.get()
    assert row.state == Rows.STUCK
    assert "corrected again since" in row.reason
    assert sums_agree()
    reversed_(second)
    assert costs() == [60_000]
    assert reversed_(first).state == State.REVERSED
    assert numbers() == before


def test_an_open_bill_shows_the_corrected_usage_and_nothing_else():
    make_operator("postpaid")
    load_calls({"by": 1, "duration_s": 600})
    cycle = make_cycle(1)
    correct_price(60_000)
    applied(job_of())
    assert not OneOffCharge.objects.exists()
    run(cycle, month(3, cycle))
    assert Bill.objects.get().total_micros == 600_000
    assert sums_agree()


def billed_wrongly(cycle) -> Bill:
    """A bill of ten minutes at 0.09, with a tenth off and 19 % of tax on voice, then the price corrected to 0.06."""
    load_calls({"by": 1, "duration_s": 600})
    tenant = Tenant.objects.get()
    voice = Service.objects.get(code="voice")
    TaxRule.objects.create(
        tenant=tenant, service=voice, name="VAT", rate_millionths=190_000, valid_from=MARCH
    )
    TaxRule.objects.create(tenant=tenant, name="VAT", rate_millionths=70_000, valid_from=MARCH)
    account = Account.objects.get(number="C1")
    Discount.objects.create(
        account=account, description="A tenth", rate_millionths=100_000, start=MARCH, scope="usage"
    )
    run(cycle, month(3, cycle))
    bill = Bill.objects.get()
    assert (bill.usage_micros, bill.discount_micros, bill.tax_micros) == (900_000, -90_000, 150_000)
    correct_price(60_000)
    return bill


def test_a_closed_bill_is_adjusted_on_the_next_one_after_its_discounts_and_with_its_taxes():
    make_operator("postpaid")
    cycle = make_cycle(1)
    bill = billed_wrongly(cycle)
    job = applied(job_of())
    charge = OneOffCharge.objects.get()
    assert (charge.amount_micros, charge.corrects, charge.service.code) == (-270_000, bill, "voice")
    assert job.account_rows.get().adjusted_micros == -270_000
    assert sums_agree()
    run(cycle, month(4, cycle), MAY)
    following = Bill.objects.exclude(pk=bill.pk).get()
    line = BillLine.objects.get(bill=following, kind="one_off")
    assert (line.amount_micros, line.tax_rate_millionths) == (-270_000, 190_000)
    assert following.tax_micros == -50_000
    bill.refresh_from_db()
    assert bill.total_micros == 960_000


def test_a_reversal_takes_the_adjustment_back_or_adds_the_opposite_once_it_is_billed():
    make_operator("postpaid")
    cycle = make_cycle(1)
    billed_wrongly(cycle)
    before = numbers()
    job = applied(job_of())
    job = reversed_(job)
    assert numbers() == before
    assert not OneOffCharge.objects.exists()
    job = applied(job_of())
    run(cycle, month(4, cycle), MAY)
    reversed_(job)
    assert list(OneOffCharge.objects.filter(bill=None).values_list("amount_micros", flat=True)) == [270_000]
    assert sums_agree()


def test_a_bill_that_is_cancelled_and_issued_again_has_the_new_prices_and_no_adjustment():
    make_operator("postpaid")
    cycle = make_cycle(1)
    bill = billed_wrongly(cycle)
    applied(job_of())
    successor = cancel_bill(bill.pk, "wrong price", NOW, again=True).successor
    assert (successor.usage_micros, successor.discount_micros) == (600_000, -60_000)
    assert not OneOffCharge.objects.exists()


def test_a_prepaid_statement_that_is_closed_gets_no_adjustment_but_a_ledger_entry():
    make_operator("prepaid")
    cycle = make_cycle(1)
    load_calls({"by": 1, "duration_s": 600})
    run(cycle, month(3, cycle))
    correct_price(60_000)
    applied(job_of())
    assert not OneOffCharge.objects.exists()
    assert Balance.objects.get().amount_micros == -600_000
    run(cycle, month(4, cycle), MAY)
    closing = list(
        Bill.objects.order_by("period_end").values_list("opening_balance_micros", "closing_balance_micros")
    )
    assert closing == [(0, -900_000), (-900_000, -600_000)]


def test_files_that_are_not_counted_yet_are_counted_once():
    make_operator("postpaid")
    load_calls({"by": 1})
    correct_price(60_000)
    job = applied(job_of())
    assert sums_agree()
    load_calls({"by": 1, "day": 12})
    reversed_(job)
    assert sums_agree()


def test_a_job_that_stands_still_is_sent_again(settings, monkeypatch):
    sent: list[int] = []
    monkeypatch.setattr(jobs, "send_again", sent.append)
    make_operator("postpaid")
    load_calls({"by": 1})
    correct_price(60_000)
    jobs.make_job(Tenant.objects.get(), MARCH, APRIL, now=NOW, by="mary")
    assert jobs.continue_jobs(NOW) == 0
    assert jobs.continue_jobs(NOW.replace(hour=1)) == 1
    job_of()
    assert RerateDifference.objects.count() == 1


def test_a_fault_in_one_account_leaves_the_others_alone(monkeypatch):
    make_operator("postpaid", "postpaid")
    load_calls({"by": 1}, {"by": 2})
    correct_price(60_000)
    job = job_of()
    original = applying.correct_charges
    faulty = Account.objects.get(number="C1").pk

    def fails_for_one(changes, *args):
        if any(change.account_id == faulty for change in changes):
            raise BssError("no")
        original(changes, *args)

    monkeypatch.setattr(applying, "correct_charges", fails_for_one)
    job = applied(job)
    assert job.state == State.APPLIED
    assert sorted(job.account_rows.values_list("state", flat=True)) == [Rows.APPLIED, Rows.FAILED]
    assert CdrCorrection.objects.count() == 1
    assert sums_agree()
    faulty = 0
    applied(job)
    assert costs() == [60_000, 60_000]
    assert sums_agree()


CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "by": st.integers(1, 3),
            "day": st.integers(1, 28),
            "duration_s": st.integers(1, 400),
            "other_party": st.sampled_from(["4930123456", "33612345678", "14155550100"]),
        }
    ),
    min_size=1,
    max_size=12,
)


@given(
    files=st.lists(CALLS, min_size=1, max_size=3),
    free_minutes=st.integers(0, 6),
    later_minutes=st.integers(0, 6),
    price=st.integers(0, 200_000),
    billed=st.booleans(),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_re_rating_and_its_reversal_restore_every_number(files, free_minutes, later_minutes, price, billed):
    with transaction.atomic():
        make_operator("postpaid", "prepaid", "postpaid", free_minutes=free_minutes)
        for calls in files:
            load_calls(*(dict(call) for call in calls))
        cycle = make_cycle(1)
        if billed:
            run(cycle, month(3, cycle))
        before = numbers()
        assert sums_agree()
        PricePlanService.objects.filter(service__code="voice").update(free_units=later_minutes)
        correct_price(price)
        job = job_of()
        if job.account_rows.filter(changed__gt=0).exists():
            job = applied(job)
            assert job.state == State.APPLIED
            assert sums_agree()
            assert set(job_of().account_rows.values_list("changed", flat=True)) == {0}
            assert reversed_(job).state == State.REVERSED
        assert numbers() == before
        assert sums_agree()
        transaction.set_rollback(True)
    look_again()


def test_a_bill_that_is_printed_again_itemises_the_prices_that_it_was_made_of():
    make_operator("postpaid")
    bill = billed_wrongly(make_cycle(1))

    def itemised() -> int:
        return Batch([bill.pk]).history(bill.pk).cost_micros

    assert itemised() == 900_000
    job = applied(job_of())
    assert itemised() == 900_000
    reversed_(job)
    assert itemised() == 900_000
