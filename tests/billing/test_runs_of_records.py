"""A record that is charged by several runs: its subscriber pays for and sees the default run alone."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Sum

from apps.billing.models import Bill, BillLine
from apps.crm.selectors.usage import usage_data
from apps.insight.models import UsageDay
from apps.insight.services.usage import collect_usage
from apps.invoicing.selectors.bill_data import Batch
from apps.mediation.models import Cdr, CdrFile, RunAccount
from apps.mediation.services.batches import known_records
from tests.billing.scenes import EURO, Usage, at, month, people, run, store, totals
from tests.factories import make_cycle

pytestmark = pytest.mark.django_db


def charge_for_the_reseller(file: CdrFile) -> None:
    """As derived charging will: each of the file's records once more, for another party and at another price."""
    rows = list(Cdr.objects.filter(file=file, run="*default"))
    for row in rows:
        row.pk, row.run, row.cost_micros = None, "reseller", 7 * EURO
    Cdr.objects.bulk_create(rows)


def test_a_record_is_stored_once_in_each_run():
    (one,) = people(1)
    file = store([Usage(one, at(1, 5))])
    charge_for_the_reseller(file)
    assert sorted(Cdr.objects.values_list("run", flat=True)) == ["*default", "reseller"]
    with pytest.raises(IntegrityError), transaction.atomic():
        charge_for_the_reseller(file)
    key = Cdr.objects.values_list("source_id", "record_id").first()
    assert known_records({key}) == {key}
    Cdr.objects.filter(run="*default").delete()
    assert known_records({key}) == set(), "the loader still owes it to the default run"


def test_bills_itemisation_statistics_and_the_customers_usage_show_the_default_run_alone():
    cycle = make_cycle(1)
    one, two = people(2)
    usage = [Usage(one, at(1, 5)), Usage(one, at(1, 6), 2 * EURO), Usage(two, at(1, 7))]
    charge_for_the_reseller(store(usage))
    run(cycle, month(1, cycle))
    # A late record of January and one of February, for accounts that have a bill by now.
    charge_for_the_reseller(store([Usage(one, at(1, 8), 4 * EURO), Usage(one, at(2, 6), 8 * EURO)]))
    run(cycle, month(2, cycle))
    assert totals() == {"C1": [3 * EURO, 12 * EURO], "C2": [1 * EURO, 0]}
    bills = list(Bill.objects.filter(account__number="C1").order_by("period_end"))
    data = Batch([bill.pk for bill in bills])
    assert [data.history(bill.pk).count for bill in bills] == [2, 2]
    collect_usage(at(3, 1))
    assert UsageDay.objects.aggregate(records=Sum("records"), revenue=Sum("revenue_micros")) == {
        "records": 5,
        "revenue": 16 * EURO,
    }
    (voice,) = usage_data("default", one.pk, now=at(2, 28), year=2026, month=1).services
    assert (voice.records, voice.cost_micros) == (3, 7 * EURO)


def test_a_resellers_bills_have_his_run_once_late_records_too_and_their_documents_count_them():
    cycle = make_cycle(1)
    customer, reseller = people(2)

    def resell(file: CdrFile) -> None:
        account = reseller.payer.account
        charge_for_the_reseller(file)
        Cdr.objects.filter(file=file, run="reseller").update(account=account)
        RunAccount.objects.get_or_create(account=account)

    resell(store([Usage(customer, at(1, 5)), Usage(customer, at(1, 6))]))
    store([Usage(reseller, at(1, 7), 3 * EURO)])
    run(cycle, month(1, cycle))
    resell(store([Usage(customer, at(1, 8)), Usage(customer, at(2, 6))]))
    run(cycle, month(2, cycle))
    assert totals() == {"C1": [2 * EURO, 2 * EURO], "C2": [17 * EURO, 14 * EURO]}
    bills = list(Bill.objects.filter(account__number="C2").order_by("period_end"))
    lines = BillLine.objects.filter(bill__in=bills).order_by("bill", "number")
    assert list(lines.values_list("bill", "subscriber", "records")) == [
        (bills[0].pk, reseller.pk, 1),
        (bills[0].pk, None, 2),
        (bills[1].pk, None, 2),
    ]
    data = Batch([bill.pk for bill in bills])
    for bill, listed, unlisted in zip(bills, (1, 0), (2, 2), strict=True):
        history = data.history(bill.pk)
        assert (history.count, history.unlisted) == (listed, unlisted)
        assert history.cost_micros + history.unlisted_micros == bill.usage_micros
