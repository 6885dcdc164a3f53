"""What each file charged by day is kept beside it: sums and the place of its records, without reading them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import Sum

from apps.mediation.models import Cdr, CdrFile, CdrFileDay
from tests.mediation.samples import MINUTE_MICROS, START, cdr, load, make_operator, stream

pytestmark = pytest.mark.django_db


def test_the_days_of_a_file_add_up_to_what_it_charged():
    make_operator()
    tomorrow = START + timedelta(days=1)
    records = [
        cdr(1, duration_s=60),
        cdr(2, duration_s=120),
        cdr(3, start=int(tomorrow.timestamp()), duration_s=60),
    ]
    load(stream(records), "a.cdr")
    file = CdrFile.objects.get()
    days = {row.day: row.cost_micros for row in CdrFileDay.objects.filter(file=file)}
    assert days == {START.date(): 3 * MINUTE_MICROS, tomorrow.date(): MINUTE_MICROS}
    assert sum(days.values()) == file.cost_micros


def test_the_records_of_a_file_lie_between_the_ids_that_its_days_name():
    make_operator()
    for number in (1, 2, 3):
        load(stream([cdr(number * 10, duration_s=60), cdr(number * 10 + 1, duration_s=60)]), f"{number}.cdr")
    for file in CdrFile.objects.all():
        (bounds,) = set(CdrFileDay.objects.filter(file=file).values_list("after_cdr", "last_cdr"))
        ids = list(Cdr.objects.filter(file=file).values_list("pk", flat=True))
        assert bounds[0] < min(ids)
        assert max(ids) <= bounds[1]
        # One after the other, so that none is looked for among those of files before it.
        assert Cdr.objects.filter(pk__gt=bounds[0], pk__lte=bounds[1]).count() == len(ids)


def test_a_file_that_comes_again_counts_once():
    make_operator()
    content = stream([cdr(1, duration_s=60)])
    load(content, "a.cdr")
    load(content, "b.cdr")
    assert CdrFileDay.objects.aggregate(cost=Sum("cost_micros"))["cost"] == MINUTE_MICROS
