"""What was charged in real time stands on the prepaid statement."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.billing.models import Bill
from apps.charging.domain.requests import Operation
from apps.charging.models import LedgerEntry
from apps.invoicing.domain.labels import de, en, fr
from apps.invoicing.selectors.bill_data import _movements
from tests.billing.scenes import at, month, run
from tests.charging.online import MIB, item
from tests.charging.stored import charge_now, make_prepaid, order, request
from tests.factories import make_cycle

pytestmark = pytest.mark.django_db


def spend_in_january() -> None:
    make_prepaid(start=at(1, 1), balance_micros=1_000_000)
    charge_now(request(Operation.INITIATE, item("data", 5 * MIB), at=at(1, 10)))
    later = at(1, 10) + timedelta(minutes=5)
    charge_now(request(Operation.UPDATE, item("data", 5 * MIB, 5 * MIB), number=1, at=later))
    charge_now(request(Operation.TERMINATE, item("data", None, 2 * MIB), number=2, at=later))
    charge_now(request(Operation.EVENT, item("sms", 1), session="sms", at=at(1, 20)))
    charge_now(request(Operation.REFUND, item("sms", 1), session="back", at=at(1, 21)))
    charge_now(request(Operation.TOP_UP, session="top", at=at(1, 22), order=order(300_000, note="Voucher")))


def test_the_statement_shows_online_usage_refunds_and_top_ups_and_adds_up() -> None:
    cycle = make_cycle(1)
    spend_in_january()
    run(cycle, month(1, cycle))
    (bill,) = Bill.objects.all()
    movements = _movements(bill)
    assert [
        (movement.kind, movement.amount_micros) for movement in movements if movement.kind != "opening"
    ] == [
        ("usage", -50_000),
        ("usage", -20_000),
        ("usage", -50_000),
        ("refund", 50_000),
        ("top_up", 300_000),
    ]
    assert bill.closing_balance_micros == 1_230_000
    total = bill.opening_balance_micros + sum(movement.amount_micros for movement in movements)
    assert total == bill.closing_balance_micros


@pytest.mark.parametrize("language", [de, en, fr])
def test_every_kind_of_movement_has_a_word_on_statements(language: object) -> None:
    labels = language.LABELS  # type: ignore[attr-defined]
    assert all(labels[f"movement_{kind}"] for kind in LedgerEntry.Kind.values)
