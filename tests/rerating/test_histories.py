"""Bills that were made, cancelled, re-rated and taken back: in the end the bills add up to what the records cost."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing.models import Bill, OneOffCharge
from apps.billing.services.cancelling import cancel_bill
from apps.kernel.errors import Conflict, InvalidInput
from apps.mediation.models import Cdr
from apps.rating.selectors.tariffs import look_again
from apps.rerating.models import RerateJob
from tests.billing.scenes import month, run
from tests.factories import make_cycle
from tests.rerating.scenes import (
    applied,
    correct_price,
    job_of,
    load_calls,
    make_operator,
    reversed_,
    sums_agree,
)

pytestmark = pytest.mark.django_db
LATE = datetime(2026, 12, 15, tzinfo=UTC)
STEPS = st.one_of(
    st.tuples(st.just("load"), st.integers(1, 28), st.integers(1, 400)),
    st.tuples(st.just("bill"), st.just(0), st.just(0)),
    st.tuples(st.just("re-rate"), st.sampled_from([10_000, 60_000, 120_000]), st.just(0)),
    st.tuples(st.just("reverse"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("cancel"), st.integers(0, 1), st.just(0)),
)


def step(what: str, first: int, second: int, cycle) -> None:
    if what == "load":
        load_calls({"by": 1 + first % 2, "day": first, "duration_s": second})
    elif (
        what == "bill"
        and (billed := Bill.objects.filter(current=True).values("period_end").distinct().count()) < 5
    ):
        run(cycle, month(3 + billed, cycle), LATE)
    elif what == "re-rate":
        correct_price(first)
        job = job_of()
        if job.account_rows.filter(changed__gt=0).exists():
            applied(job)
    elif what == "reverse" and (jobs := list(RerateJob.objects.filter(state="applied").order_by("pk"))):
        reversed_(jobs[first % len(jobs)])
    elif what == "cancel" and (last := Bill.objects.filter(current=True).order_by("-period_end").first()):
        try:
            cancel_bill(last.pk, "wrong", LATE, again=bool(first))
        except (Conflict, InvalidInput):
            return


@given(steps=st.lists(STEPS, min_size=6, max_size=14), free_minutes=st.sampled_from([0, 2]))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bills_add_up_to_what_the_records_cost(steps: list[tuple[str, int, int]], free_minutes: int) -> None:
    with transaction.atomic():
        make_operator("postpaid", "postpaid", free_minutes=free_minutes)
        cycle = make_cycle(1)
        load_calls({"by": 1, "day": 5, "duration_s": 300}, {"by": 2, "day": 6, "duration_s": 90})
        run(cycle, month(3, cycle), LATE)
        for one in steps:
            step(*one, cycle)
            assert sums_agree()
        for number in range(3, 12):
            run(cycle, month(number, cycle), LATE)
        billed = Bill.objects.filter(current=True).aggregate(
            usage=Sum("usage_micros"), more=Sum("one_off_micros")
        )
        assert (billed["usage"] or 0) + (billed["more"] or 0) == Cdr.objects.aggregate(
            cost=Sum("cost_micros")
        )["cost"]
        assert not OneOffCharge.objects.filter(bill=None).exists()
        transaction.set_rollback(True)
    look_again()
